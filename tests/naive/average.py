import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import double

OP = "Average"
CASES = (Case(shapes=((2, 3), (2, 3))), Case(shapes=((1, 2, 2),) * 3), Case(shapes=((1, 4),)))


def naive(layer, *xs):
    y = np.empty(xs[0].shape, xs[0].dtype)
    for place in np.ndindex(y.shape):
        y[place] = sum(x[place] for x in xs) / len(xs)
    return y


def naive_integer(layer, codes, grids, out):
    scales = [float(grid.scale) for grid in grids]
    common, left = len(codes) * max(scales), 20 if grids[0].bits == 8 else 15
    y = np.empty(codes[0].shape, object)
    for place in np.ndindex(y.shape):
        total = sum(
            double((x[place] - int(grid.zero_point)) << left, scale / common)
            for x, grid, scale in zip(codes, grids, scales, strict=True)
        )
        y[place] = double(total, common / (2**left * len(codes) * float(out.scale))) + int(out.zero_point)
    return y
