import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each

OP = "Interval"
CASES = (Case(shapes=((2, 3, 4), (), ()), low=0.2, high=2.0), Case(shapes=((5, 9), (), ()), low=0.6, high=1.4))


def naive(layer, x, centre, distance):
    low, high = centre - distance, centre + distance
    return each(x, lambda v: min(max((v - low) / (high - low), 0.0), 1.0))


def naive_integer(layer, codes, grids, out):
    """One entry a code in single precision, rounded half up: entries are not negative."""
    centre, distance = (np.float32(value) for value in codes[1:])

    def one(code):
        x = np.float32(int(code) - int(grids[0].zero_point)) * grids[0].scale
        y = min(max((x - centre + distance) / (2 * distance), np.float32(0)), np.float32(1))
        return int(float(y * (np.float32(1) / out.scale)) + 0.5) + int(out.zero_point)

    return each(codes[0], one)
