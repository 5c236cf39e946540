import numpy as np

from tests.naive import Case

OP = "Transpose"
CASES = (
    Case(shapes=((2, 3, 4),), attrs={"perm": (0, 2, 1)}),
    Case(shapes=((2, 3, 4, 1),), attrs={"perm": (3, 1, 0, 2)}),
)


def naive(layer, x):
    y = np.empty([x.shape[axis] for axis in layer.perm], x.dtype)
    for place in np.ndindex(x.shape):
        y[tuple(place[axis] for axis in layer.perm)] = x[place]
    return y
