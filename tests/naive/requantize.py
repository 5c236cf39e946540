from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

OP = "Requantize"
CASES = (Case(shapes=((2, 3, 5),)), Case(shapes=((1,),)), Case(shapes=((2, 7),), attrs={"through_reals": True}))


def naive(layer, x):
    return x


def naive_integer(layer, codes, grids, out):
    grid = grids[0]

    def one(code):
        d = code - int(grid.zero_point)
        if not layer.through_reals:
            return double(d, float(grid.scale) / float(out.scale)) + int(out.zero_point)
        steps = float(np.float32(d) * grid.scale / out.scale)
        return floor(abs(steps) + 0.5) * (1 if steps >= 0 else -1) + int(out.zero_point)

    return each(codes[0], one)
