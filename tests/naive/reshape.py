import numpy as np

from tests.naive import Case

OP = "Reshape"
CASES = (
    Case(shapes=((2, 3, 4),), attrs={"shape": (0, -1)}),
    Case(shapes=((2, 6),), attrs={"shape": (0, 3, 2)}),
    Case(shapes=((2, 3, 4),), attrs={"shape": (-1, 4)}),
)


def naive(layer, x):
    flat = list(x.flat)
    target = [x.shape[axis] if size == 0 else size for axis, size in enumerate(layer.shape)]
    known = 1
    for size in target:
        known *= 1 if size == -1 else size
    target = [len(flat) // known if size == -1 else size for size in target]
    y = np.empty(target, x.dtype)
    for value, place in zip(flat, np.ndindex(*target), strict=True):
        y[place] = value
    return y
