from math import prod

import numpy as np

from tests.naive import Case

OP = "SpaceToBatch"
CASES = (
    Case(shapes=((2, 4, 6, 3),), attrs={"block": (2, 3), "paddings": ((0, 0), (0, 0))}),
    Case(shapes=((2, 3, 3, 2),), attrs={"block": (2, 2), "paddings": ((1, 0), (0, 3))}),
    Case(shapes=((2, 5, 2),), attrs={"block": (3,), "paddings": ((0, 1),)}),
    Case(shapes=((1, 2, 3, 2, 2),), attrs={"block": (2, 3, 1), "paddings": ((0, 0), (0, 0), (1, 0))}),
)


def naive(layer, x):
    spatial, block = len(layer.block), layer.block
    sizes = [n + sum(pair) for n, pair in zip(x.shape[1:], layer.paddings, strict=False)]
    y = np.zeros(
        (len(x) * prod(block), *(n // b for n, b in zip(sizes, block, strict=True)), *x.shape[spatial + 1 :]), x.dtype
    )
    for place in np.ndindex(x.shape):
        at = [i + low for i, (low, _) in zip(place[1:], layer.paddings, strict=False)]
        offset = 0
        for i, b in zip(at, block, strict=True):
            offset = offset * b + i % b
        inner = (i // b for i, b in zip(at, block, strict=True))
        y[(offset * len(x) + place[0], *inner, *place[spatial + 1 :])] = x[place]
    return y
