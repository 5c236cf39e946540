import numpy as np

from tests.naive.add import CASES as CASES
from tests.naive.elementwise import pairs
from tests.naive.fixed_point import double

OP = "Multiply"


def naive(layer, a, b):
    return pairs(a, b, lambda x, y: x * y)


def naive_integer(layer, codes, grids, out):
    real = float(np.float32(np.float32(grids[0].scale) * np.float32(grids[1].scale)) / np.float32(out.scale))
    z_a, z_b = (int(grid.zero_point) for grid in grids)
    return pairs(*codes, lambda x, y: double((x - z_a) * (y - z_b), real) + int(out.zero_point))
