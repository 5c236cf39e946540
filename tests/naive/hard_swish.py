import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import multiplier16
from tests.naive.gemmlowp import Fixed, divide

OP = "HardSwish"
CASES = (
    Case(shapes=((2, 3, 4),), low=-5.0, high=5.0),
    Case(shapes=((1, 1),)),
    Case(shapes=((2, 9),), low=-30.0, high=40.0),
    Case(shapes=((2, 9),), low=-0.1, high=0.2),
)


def naive(layer, x):
    return each(x, lambda v: v * min(max(v + 3, 0), 6) / 6)


def naive_integer(layer, codes, grids, out):
    zero = int(grids[0].zero_point)
    fine = np.float32(1 / 128) * grids[0].scale
    m_y, e_y = multiplier16(float(fine / out.scale))
    m_g, e_g = multiplier16(float(fine / np.float32(3 / 32768)))

    def one(code):
        v = Fixed((code - zero) * 128, 0, 16)
        y = v * Fixed(m_y, 0, 16)
        gate = v.times_power(e_g - 1) if e_g > 0 else v
        gate = (gate * Fixed(m_g, 0, 16)).times_power(1 if e_g > 0 else e_g)
        gate = (gate.raw + 2**15) // 2
        product = gate * y.raw
        cut = abs(product) // 2**15 * (1 if product >= 0 else -1)
        return divide(cut, -e_y) + int(out.zero_point)

    return each(codes[0], one)
