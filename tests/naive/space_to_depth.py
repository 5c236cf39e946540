import numpy as np

from tests.naive import Case

OP = "SpaceToDepth"
CASES = (Case(shapes=((2, 4, 6, 3),), attrs={"block": 2}), Case(shapes=((1, 3, 6, 1),), attrs={"block": 3}))


def naive(layer, x):
    b, channels = layer.block, x.shape[3]
    y = np.empty((len(x), x.shape[1] // b, x.shape[2] // b, channels * b * b), x.dtype)
    for n, h, w, c in np.ndindex(x.shape):
        y[n, h // b, w // b, (h % b * b + w % b) * channels + c] = x[n, h, w, c]
    return y
