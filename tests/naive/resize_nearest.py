from math import floor

import numpy as np

from tests.naive import Case

OP = "ResizeNearest"
CASES = (
    Case(shapes=((2, 2, 3, 2),), attrs={"scale": (2, 3)}),
    Case(shapes=((1, 5, 4, 1),), attrs={"size": (3, 7), "half_pixel_centers": True}),
    Case(shapes=((1, 3, 4, 1),), attrs={"size": (5, 2), "align_corners": True}),
)


def naive(layer, x):
    height, width = layer.size or (x.shape[1] * layer.scale[0], x.shape[2] * layer.scale[1])

    def source(o, before, after):
        if layer.align_corners:
            return min(floor(o * ((before - 1) / (after - 1)) + 0.5), before - 1)
        return min(floor((o + (0.5 if layer.half_pixel_centers else 0)) * (before / after)), before - 1)

    y = np.empty((len(x), height, width, x.shape[3]), x.dtype)
    for n, oy, ox, c in np.ndindex(y.shape):
        y[n, oy, ox, c] = x[n, source(oy, x.shape[1], height), source(ox, x.shape[2], width), c]
    return y
