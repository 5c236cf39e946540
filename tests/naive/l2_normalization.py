from math import sqrt

from tests.naive import Case
from tests.naive.fixed_point import apply_double
from tests.naive.rsqrt import inverse_root
from tests.naive.softmax import lines

OP = "L2Normalization"
CASES = (Case(shapes=((2, 3, 4),)), Case(shapes=((2, 3, 4),), attrs={"axis": (1,)}))


def one_axis(layer):
    return type("Line", (), {"axis": layer.axis[0]})


def naive(layer, x):
    return lines(
        one_axis(layer), x, lambda values: [v / sqrt(max(sum(w * w for w in values), layer.epsilon)) for v in values]
    )


def naive_integer(layer, codes, grids, out):
    zero = int(grids[0].zero_point)

    def one(values):
        m, n = inverse_root(sum((v - zero) ** 2 for v in values))
        return [apply_double(v - zero, m, 7 - n) for v in values]

    return lines(one_axis(layer), codes[0], one)
