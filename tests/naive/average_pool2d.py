from tests.naive import Case
from tests.naive.fixed_point import double
from tests.naive.max_pool2d import CASES as SHAPES
from tests.naive.max_pool2d import pooled

OP = "AveragePool2D"
CASES = (*SHAPES, Case(shapes=((1, 5, 5, 2),), attrs={"pool": (5, 5), "strides": (5, 5)}))


def naive(layer, x):
    return pooled(layer, x, lambda seen: sum(seen) / len(seen))


def naive_integer(layer, codes, grids, out):
    def mean(seen):
        total, count = sum(seen), len(seen)
        if grids[0] != out:
            steps = total - count * int(grids[0].zero_point)
            return double(steps, float(grids[0].scale) / float(out.scale) / count) + int(out.zero_point)
        return (total + count // 2) // count if total > 0 else -((-total + count // 2) // count)

    return pooled(layer, codes[0], mean)
