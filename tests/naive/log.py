from math import log

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.lookup import interpolated

OP = "Log"
CASES = (Case(shapes=((2, 3, 4),), low=0.05, high=6.0), Case(shapes=((1, 1),), low=1.0, high=2.0))


def naive(layer, x):
    return each(x, lambda v: log(v))


def naive_integer(layer, codes, grids, out):
    if grids[0].bits == 16:
        lowest = np.float32(-32768) * out.scale
        return interpolated(lambda x: np.float32(log(float(x))) if x > 0 else lowest, codes[0], grids[0], out)

    def one(code):
        real = float(np.float32(code - int(grids[0].zero_point)) * grids[0].scale)
        if real <= 0:
            return out.qmin
        steps = float(np.float32(log(real)) * (np.float32(1) / out.scale))
        return int(abs(steps) + 0.5) * (1 if steps >= 0 else -1) + int(out.zero_point)

    return each(codes[0], one)
