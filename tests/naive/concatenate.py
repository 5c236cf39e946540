import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "Concatenate"
CASES = (
    Case(shapes=((2, 3, 4), (2, 3, 1), (2, 3, 2))),
    Case(shapes=((2, 3), (2, 3)), attrs={"axis": 1}),
    Case(shapes=((1, 2, 2),)),
)


def naive(layer, *xs):
    axis = layer.axis % xs[0].ndim
    shape = list(xs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in xs)
    y = np.empty(shape, xs[0].dtype)
    start = 0
    for x in xs:
        for place in np.ndindex(x.shape):
            target = list(place)
            target[axis] += start
            y[tuple(target)] = x[place]
        start += x.shape[axis]
    return y


def naive_integer(layer, codes, grids, out):
    moved = [
        each(x, lambda code, grid=grid: on_output_grid(code, grid, out)) for x, grid in zip(codes, grids, strict=True)
    ]
    return naive(layer, *moved)
