from tests.naive.add import CASES as CASES
from tests.naive.elementwise import pairs
from tests.naive.fixed_point import double

OP = "SquaredDifference"


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: (x - y) * (x - y))


def naive_integer(layer, codes, grids, out):
    (s_a, z_a), (s_b, z_b) = ((float(g.scale), int(g.zero_point)) for g in grids)
    common = 2 * max(s_a, s_b)

    def one(x, y):
        d = double((x - z_a) * 128, s_a / common) - double((y - z_b) * 128, s_b / common)
        return double(d * d, common * common / (128 * 128 * float(out.scale))) + int(out.zero_point)

    return pairs(*codes, one)
