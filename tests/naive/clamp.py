from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

OP = "Clamp"
CASES = (
    Case(shapes=((2, 3, 4),), attrs={"low": -1.0, "high": 1.0}),
    Case(shapes=((2, 9),), attrs={"low": 0.0, "high": 1.5}),
)


def naive(layer, x):
    return each(x, lambda v: min(max(v, layer.low), layer.high))


def naive_integer(layer, codes, grids, out):
    zero, factor = int(grids[0].zero_point), float(grids[0].scale / out.scale)

    def nearest(limit):
        steps = float(np.float32(limit) / out.scale)
        return floor(abs(steps) + 0.5) * (1 if steps >= 0 else -1)

    low, high = nearest(layer.low), nearest(layer.high)
    return each(codes[0], lambda code: min(max(double(code - zero, factor), low), high) + int(out.zero_point))
