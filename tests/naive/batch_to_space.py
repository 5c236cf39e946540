from math import prod

import numpy as np

from tests.naive import Case

OP = "BatchToSpace"
CASES = (
    Case(shapes=((12, 2, 3, 2),), attrs={"block": (2, 3), "crops": ((0, 0), (0, 0))}),
    Case(shapes=((4, 2, 3, 1),), attrs={"block": (2, 2), "crops": ((1, 0), (0, 2))}),
    Case(shapes=((6, 2, 2),), attrs={"block": (3,), "crops": ((0, 1),)}),
)


def naive(layer, x):
    spatial, block = len(layer.block), layer.block
    images = len(x) // prod(block)
    sizes = [n * b - sum(pair) for n, b, pair in zip(x.shape[1:], block, layer.crops, strict=False)]
    y = np.empty((images, *sizes, *x.shape[spatial + 1 :]), x.dtype)
    for place in np.ndindex(y.shape):
        at = [i + low for i, (low, _) in zip(place[1:], layer.crops, strict=False)]
        offset = 0
        for i, b in zip(at, block, strict=True):
            offset = offset * b + i % b
        inner = (i // b for i, b in zip(at, block, strict=True))
        y[place] = x[(offset * images + place[0], *inner, *place[spatial + 1 :])]
    return y
