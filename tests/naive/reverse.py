import numpy as np

from tests.naive import Case

OP = "Reverse"
CASES = (Case(shapes=((2, 3, 4),), attrs={"axes": (1,)}), Case(shapes=((1, 3),), attrs={"axes": (0, -1)}))


def naive(layer, x):
    axes = [axis % x.ndim for axis in layer.axes]
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        y[tuple(n - 1 - i if a in axes else i for a, (i, n) in enumerate(zip(place, x.shape, strict=True)))] = x[place]
    return y
