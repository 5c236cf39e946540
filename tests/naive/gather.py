import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "Gather"
CASES = (
    Case(shapes=((5, 3), (2, 4)), indices={1: 5}),
    Case(shapes=((2, 3, 4), (2,)), attrs={"axis": -2}, indices={1: 3}),
    Case(shapes=((2, 3, 4, 2), (2, 3, 5)), attrs={"axis": 2, "batch_dims": 2}, indices={1: 4}),
    Case(shapes=((2, 3, 4, 2), (2, 5, 2)), attrs={"axis": 3, "batch_dims": 1}, indices={1: 2}),
    Case(shapes=((3, 2), ()), attrs={"axis": 1}, indices={1: 2}),
)


def naive(layer, x, indices):
    axis, batch = layer.axis % x.ndim, layer.batch_dims
    free = indices.ndim - batch
    y = np.empty((*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :]), x.dtype)
    for place in np.ndindex(y.shape):
        chosen = indices[(*place[:batch], *place[axis : axis + free])]
        y[place] = x[(*place[:axis], chosen, *place[axis + free :])]
    return y


def naive_integer(layer, codes, grids, out):
    return each(naive(layer, *codes), lambda code: on_output_grid(code, grids[0], out))
