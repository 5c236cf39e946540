import numpy as np

from tests.naive import Case
from tests.naive.elementwise import each
from tests.naive.max_pool2d import on_output_grid

OP = "Split"
CASES = (
    Case(shapes=((2, 5, 3),), attrs={"sizes": (2, 1, 2), "axis": 1}),
    Case(shapes=((4, 2),), attrs={"sizes": (2, 2)}),
    Case(shapes=((2, 6),), attrs={"sizes": (6,), "axis": -1}),
)


def naive(layer, x):
    axis, parts, begin = layer.axis % x.ndim, [], 0
    for size in layer.sizes:
        y = np.empty([size if i == axis else n for i, n in enumerate(x.shape)], x.dtype)
        for place in np.ndindex(y.shape):
            y[place] = x[tuple(at + begin if i == axis else at for i, at in enumerate(place))]
        parts.append(y)
        begin += size
    return tuple(parts)


def naive_integer(layer, codes, grids, out):
    outs = out if isinstance(out, tuple) else (out,)
    return tuple(
        each(y, lambda code, g=grid: on_output_grid(code, grids[0], g))
        for y, grid in zip(naive(layer, codes[0]), outs, strict=True)
    )
