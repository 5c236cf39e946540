from tests.naive.add import CASES as CASES
from tests.naive.elementwise import pairs
from tests.naive.max_pool2d import on_output_grid

OP = "Maximum"


def naive(layer, a, b):
    return pairs(a, b, max)


def naive_integer(layer, codes, grids, out):
    return pairs(*codes, lambda x, y: max(on_output_grid(x, grids[0], out), on_output_grid(y, grids[1], out)))
