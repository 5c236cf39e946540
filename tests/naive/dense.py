import numpy as np

from tests.naive import Case

OP = "Dense"
CASES = (
    Case(shapes=((3, 5), (4, 5), (4,))),
    Case(shapes=((2, 3, 7), (1, 7), None)),
    Case(shapes=((1, 1), (1, 1), (1,))),
)


def naive(layer, x, w, b):
    rows = x.reshape(-1, x.shape[-1])
    y = np.empty((len(rows), len(w)), x.dtype)
    for n, o in np.ndindex(y.shape):
        total = 0 if b is None else b[o]
        for i in range(w.shape[1]):
            total += rows[n, i] * w[o, i]
        y[n, o] = total
    return y.reshape(*x.shape[:-1], len(w))
