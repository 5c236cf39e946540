from math import prod

from tests.naive import Case
from tests.naive.fixed_point import int64
from tests.naive.mean import reduced

# Factors from 1 to 2, four at most: LiteRT rounds after each, which adds up to more than a step in small products
OP = "ReduceProd"
CASES = (
    Case(shapes=((2, 2, 2, 5),), attrs={"axes": (2, 1)}, low=1.0),
    Case(shapes=((2, 3, 4),), attrs={"axes": (-2,), "keepdims": True}, low=1.0),
    Case(shapes=((1, 3),), attrs={"axes": (0, 1)}, low=1.0),
)


def naive(layer, x):
    return reduced(layer, x, prod)


def naive_integer(layer, codes, grids, out):
    zero = int(grids[0].zero_point)

    def product(seen):
        real = float(grids[0].scale) / float(out.scale) ** (1 / len(seen))
        total = seen[0] - zero
        for code in seen[1:]:
            total = int64(total * (code - zero), real)
        return int64(total, real) + int(out.zero_point)

    return reduced(layer, codes[0], product)
