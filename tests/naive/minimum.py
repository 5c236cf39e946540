from tests.naive.add import CASES as CASES
from tests.naive.elementwise import pairs
from tests.naive.max_pool2d import on_output_grid

OP = "Minimum"


def naive(layer, a, b):
    return pairs(a, b, min)


def naive_integer(layer, codes, grids, out):
    return pairs(*codes, lambda x, y: min(on_output_grid(x, grids[0], out), on_output_grid(y, grids[1], out)))
