import numpy as np

from tests.naive import Case, gemmlowp
from tests.naive.elementwise import pairs
from tests.naive.fixed_point import multiplier, rdbypot, srdhm

OP = "Divide"
CASES = (
    Case(shapes=((2, 3, 4), (2, 3, 4)), low=0.5),
    Case(shapes=((2, 3, 4), (1, 4)), low=0.5),
    Case(shapes=((1, 3), (2, 1)), low=-2.0, high=-0.5),
)


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x / y)


def naive_integer(layer, codes, grids, out):
    s_a, s_b, s_y = (np.float32(g.scale) for g in (*grids, out))
    m, s = multiplier(float(np.float32(s_a / np.float32(s_b * s_y))))

    def one(x, y):
        x, y = x - int(grids[0].zero_point), y - int(grids[1].zero_point)
        x, y = (-x, -y) if y < 0 else (x, y)
        places = 31 - y.bit_length()  # y is 1.f * 2**(30 - places)
        inverse = gemmlowp.one_over_one_plus(gemmlowp.Fixed((y << (places + 1)) - 2**31, 0, 32)).raw
        headroom = 31 - (x if x >= 0 else ~x).bit_length()
        scaled = srdhm(srdhm(x << headroom, inverse), m)
        return rdbypot(scaled, 30 - places + headroom - s) + int(out.zero_point)

    return pairs(*codes, one)
