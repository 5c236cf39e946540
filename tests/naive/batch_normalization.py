from math import sqrt

import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import double, single

OP = "BatchNormalization"
CASES = (
    Case(shapes=((2, 3, 4), (4,), (4,), (4,), (4,)), low=0.3, high=2.0),
    Case(shapes=((2, 3, 4), (3,), (3,), (3,), (3,)), attrs={"axis": 1, "epsilon": 0.01}, low=0.3, high=2.0),
    Case(shapes=((1, 1), (1,), (1,), (1,), (1,)), low=0.3, high=2.0),
)


def naive(layer, x, gamma, beta, mean, variance):
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        c = place[layer.axis]
        y[place] = gamma[c] * (x[place] - mean[c]) / sqrt(variance[c] + layer.epsilon) + beta[c]
    return y


def naive_integer(layer, codes, grids, out):
    x, gamma, beta, mean, variance = codes
    s_x, s_y = float(grids[0].scale), float(out.scale)
    rule = double if grids[0].bits <= 8 else single
    y = np.empty(x.shape, object)
    for place in np.ndindex(x.shape):
        c = place[layer.axis]
        a = float(gamma[c]) / sqrt(float(variance[c]) + layer.epsilon)
        offset = (float(beta[c]) - float(mean[c]) * a) * 2**12 / (s_x * abs(a))
        acc = (x[place] - int(grids[0].zero_point)) * (2**12 if a > 0 else -(2**12)) + round(offset)
        y[place] = rule(acc, s_x * abs(a) / 2**12 / s_y) + int(out.zero_point)
    return y
