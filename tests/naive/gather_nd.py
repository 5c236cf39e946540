import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "GatherNd"
CASES = (
    Case(shapes=((3, 4, 2), (5, 2)), indices={1: 3}),
    Case(shapes=((3, 3), (2, 2, 2)), indices={1: 3}),
    Case(shapes=((4, 2, 2), (1,)), indices={1: 4}),
)


def naive(layer, x, indices):
    y = np.empty((*indices.shape[:-1], *x.shape[indices.shape[-1] :]), x.dtype)
    for place in np.ndindex(y.shape):
        row = indices[place[: indices.ndim - 1]]
        y[place] = x[(*row, *place[indices.ndim - 1 :])]
    return y


def naive_integer(layer, codes, grids, out):
    return each(naive(layer, *codes), lambda code: on_output_grid(code, grids[0], out))
