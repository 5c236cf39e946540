from math import sqrt

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import apply_double, multiplier, srdhm
from tests.naive.gemmlowp import Fixed
from tests.naive.lookup import interpolated

OP = "Rsqrt"
CASES = (Case(shapes=((2, 3, 4),), low=0.3, high=6.0), Case(shapes=((1, 1),), low=0.3, high=2.0))


def naive(layer, x):
    return each(x, lambda v: 1 / sqrt(v))


def inverse_root(x):
    """(m, n) with 1 / sqrt(x) ~ m * 2**(-31 - n), by Newton's method in Q3.28."""
    if x <= 1:
        return 2**31 - 1, 0
    n = 11
    while x >= 2**29:
        x, n = x // 4, n + 1
    while x < 2**27:
        x, n = x * 4, n - 1
    half_x = Fixed(x >> 1, 3, 32).times_power(-1)
    v = Fixed(2**28, 3, 32)
    three_halves = Fixed(2**28 + 2**27, 3, 32)
    for _ in range(5):
        cube = (v * v * v).rescaled(3)
        v = (three_halves * v - half_x * cube).rescaled(3)
    m = srdhm(v.raw, 1518500250)
    return (m << -n, 0) if n < 0 else (m, n)


def naive_integer(layer, codes, grids, out):
    if grids[0].bits == 16:
        highest = np.float32(32767) * out.scale
        return interpolated(lambda x: np.float32(1) / np.sqrt(x) if x > 0 else highest, codes[0], grids[0], out)
    real = 1 / float(np.float32(sqrt(float(grids[0].scale))) * out.scale)
    m_y, s_y = multiplier(real)

    def one(code):
        d = code - int(grids[0].zero_point)
        if d == 0:
            return out.qmax
        m, n = inverse_root(d)
        return apply_double(apply_double(1, m, 20 - n), m_y, s_y - 20) + int(out.zero_point)

    return each(codes[0], one)
