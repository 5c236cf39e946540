from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.max_pool2d import on_output_grid

OP = "ResizeBilinear"
CASES = (
    Case(shapes=((2, 2, 3, 2),), attrs={"scale": (2, 2)}),
    Case(shapes=((1, 5, 4, 1),), attrs={"size": (3, 7)}),
    Case(shapes=((1, 3, 4, 1),), attrs={"size": (5, 2), "align_corners": True, "half_pixel_centers": False}),
    Case(shapes=((1, 3, 4, 1),), attrs={"size": (4, 6), "half_pixel_centers": False}),
)


def sizes(layer, x):
    return layer.size or (x.shape[1] * layer.scale[0], x.shape[2] * layer.scale[1])


def blend(layer, x, place, one, finish):
    """The four-pixel mean, with positions from `place(o, before, after) -> (first, second, weight)`."""
    height, width = sizes(layer, x)
    y = np.empty((len(x), height, width, x.shape[3]), x.dtype)
    for n, oy, ox, c in np.ndindex(y.shape):
        top, bottom, v = place(oy, x.shape[1], height)
        left, right, u = place(ox, x.shape[2], width)
        total = (
            x[n, top, left, c] * (one - v) * (one - u)
            + x[n, top, right, c] * (one - v) * u
            + x[n, bottom, left, c] * v * (one - u)
            + x[n, bottom, right, c] * v * u
        )
        y[n, oy, ox, c] = finish(total)
    return y


def naive(layer, x):
    def place(o, before, after):
        step = (before - 1) / (after - 1) if layer.align_corners else before / after
        at = (o + 0.5) * step - 0.5 if layer.half_pixel_centers else o * step
        at = min(max(at, 0.0), before - 1.0)
        first = floor(at)
        return first, min(first + 1, before - 1), at - first

    return blend(layer, x, place, 1, lambda v: v)


def naive_integer(layer, codes, grids, out):
    def place(o, before, after):
        if layer.align_corners:
            step = (1024 * (before - 1) + (after - 1) // 2) // (after - 1)
        else:
            step = (1024 * before + after // 2) // after
        at = o * step + (step // 2 - 512 if layer.half_pixel_centers else 0)
        first = max(int(at / 1024), 0)
        return first, min((at + 1023) // 1024, before - 1), at - 1024 * first

    def finish(total):
        code = (abs(total) + 2**19) // 2**20 * (1 if total >= 0 else -1)
        return on_output_grid(code, grids[0], out)

    return blend(layer, codes[0], place, 1024, finish)
