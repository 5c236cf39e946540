from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "Pad"
CASES = (
    Case(shapes=((2, 3, 4, 2),), attrs={"paddings": ((0, 0), (1, 2), (0, 1), (0, 0))}),
    Case(shapes=((1, 3),), attrs={"paddings": ((0, 0), (2, 2)), "value": 0.4}, low=0.5),
    Case(shapes=((1, 4),), attrs={"paddings": ((0, 0), (2, 3)), "mode": "reflect"}),
    Case(shapes=((1, 4),), attrs={"paddings": ((0, 0), (2, 3)), "mode": "symmetric"}),
)


def source(layer, i, size):
    """The index an output index reads, None in the margin."""
    if 0 <= i < size:
        return i
    if layer.mode == "constant":
        return None
    if layer.mode == "symmetric":
        return -i - 1 if i < 0 else 2 * size - 1 - i
    return -i if i < 0 else 2 * size - 2 - i


def naive(layer, x, fill=None):
    y = np.empty([n + a + b for n, (a, b) in zip(x.shape, layer.paddings, strict=True)], x.dtype)
    for place in np.ndindex(y.shape):
        index = [source(layer, i - a, n) for i, (a, _), n in zip(place, layer.paddings, x.shape, strict=True)]
        y[place] = (layer.value if fill is None else fill) if None in index else x[tuple(index)]
    return y


def naive_integer(layer, codes, grids, out):
    fill = floor(layer.value / float(grids[0].scale) + 0.5) + int(grids[0].zero_point)
    return each(naive(layer, codes[0], fill), lambda code: on_output_grid(code, grids[0], out))
