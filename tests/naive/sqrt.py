from math import floor, sqrt

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Sqrt"
CASES = (Case(shapes=((2, 3, 4),), low=0.05, high=6.0), Case(shapes=((1, 1),), low=0.3, high=2.0))


def naive(layer, x):
    return each(x, lambda v: sqrt(v))


def naive_integer(layer, codes, grids, out):
    def one(code):
        real = float(np.float32(code - int(grids[0].zero_point)) * grids[0].scale)
        return floor(float(np.float32(sqrt(real)) / out.scale)) + int(out.zero_point)

    return each(codes[0], one)
