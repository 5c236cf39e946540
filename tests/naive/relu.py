from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.fixed_point import double

OP = "Relu"
CASES = (
    Case(shapes=((2, 3, 4),)),
    Case(shapes=((2, 9),), attrs={"max_value": 1.5}),
    Case(shapes=((2, 9),), attrs={"negative_slope": 0.3}),
    Case(shapes=((2, 9),), attrs={"negative_slope": 0.1, "threshold": 0.7, "max_value": 1.8}),
)


def naive(layer, x):
    def one(v):
        if layer.max_value is not None and v >= layer.max_value:
            return layer.max_value
        return v if v >= layer.threshold else layer.negative_slope * (v - layer.threshold)

    return each(x, one)


def naive_integer(layer, codes, grids, out):
    grid = grids[0]
    if layer.threshold:
        table = {}
        for code in range(grid.qmin, grid.qmax + 1):
            real = np.float32(code - int(grid.zero_point)) * grid.scale
            steps = float(naive(layer, np.array([real], np.float32))[0] * (np.float32(1) / out.scale))
            table[code] = floor(abs(steps) + 0.5) * (1 if steps >= 0 else -1) + int(out.zero_point)
        return each(codes[0], table.__getitem__)

    def one(code):
        d = code - int(grid.zero_point)
        factor = grid.scale / out.scale if d >= 0 else grid.scale * np.float32(layer.negative_slope) / out.scale
        y = double(d, float(factor))
        if layer.max_value is not None:
            y = min(y, floor(layer.max_value / float(out.scale) + 0.5))
        return y + int(out.zero_point)

    return each(codes[0], one)
