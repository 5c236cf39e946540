import numpy as np

from tests.naive import Case

OP = "BroadcastTo"
CASES = (
    Case(shapes=((2, 1, 3),), attrs={"shape": (0, 4, 3)}),
    Case(shapes=((3,),), attrs={"shape": (2, 2, 3)}),
    Case(shapes=((1, 1),), attrs={"shape": (2, 3)}),
)


def naive(layer, x):
    missing = len(layer.shape) - x.ndim
    y = np.empty([x.shape[i - missing] if n == 0 else n for i, n in enumerate(layer.shape)], x.dtype)
    for place in np.ndindex(y.shape):
        y[place] = x[tuple(0 if n == 1 else i for i, n in zip(place[missing:], x.shape, strict=True))]
    return y
