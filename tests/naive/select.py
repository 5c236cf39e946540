import numpy as np

from tests.naive import Case
from tests.naive.max_pool2d import on_output_grid

OP = "Select"
CASES = (
    Case(shapes=((2, 3, 4), (2, 3, 4), (2, 3, 4)), types={0: "bool"}),
    Case(shapes=((2, 1), (2, 3), (1, 3)), types={0: "bool"}),
    Case(shapes=((3,), (1, 3), (2, 1)), types={0: "bool"}),
)


def naive(layer, condition, a, b):
    condition, a, b = np.broadcast_arrays(condition, a, b)
    y = np.empty(a.shape, a.dtype)
    for place in np.ndindex(y.shape):
        y[place] = a[place] if condition[place] else b[place]
    return y


def naive_integer(layer, codes, grids, out):
    a, b = (
        np.vectorize(lambda code, g=grid: on_output_grid(code, g, out), otypes=[object])(q)
        for q, grid in zip(codes[1:], grids[1:], strict=True)
    )
    return naive(layer, codes[0], a, b)
