from math import sqrt

import numpy as np

from tests.naive import Case

OP = "LayerNormalization"
CASES = (
    Case(shapes=((2, 3, 4), (4,), (4,))),
    Case(shapes=((2, 3, 4), (3, 4), (3, 4)), attrs={"axis": (1, 2), "epsilon": 1e-5}),
)


def naive(layer, x, gamma, beta):
    axes = sorted(axis % x.ndim for axis in layer.axis)
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        group = [
            x[other] for other in np.ndindex(x.shape) if all(i in axes or other[i] == place[i] for i in range(x.ndim))
        ]
        mean = sum(group) / len(group)
        variance = sum((v - mean) ** 2 for v in group) / len(group)
        own = tuple(place[axis] for axis in axes)
        y[place] = gamma[own] * (x[place] - mean) / sqrt(variance + layer.epsilon) + beta[own]
    return y
