from tests.naive.max_pool2d import on_output_grid
from tests.naive.mean import CASES as CASES
from tests.naive.mean import reduced

OP = "ReduceMin"


def naive(layer, x):
    return reduced(layer, x, min)


def naive_integer(layer, codes, grids, out):
    return reduced(layer, codes[0], lambda seen: on_output_grid(min(seen), grids[0], out))
