from math import tanh

import numpy as np

from tests.naive import Case
from tests.naive.lstm import finish, logistic, times

OP = "GRU"
CASES = (
    Case(shapes=((2, 3, 2), (6, 2), (6, 2), (2, 6))),
    Case(shapes=((1, 2, 3), (3, 3), (3, 1), None), attrs={"return_sequences": True, "go_backwards": True}),
    Case(shapes=((2, 3, 2), (6, 2), (6, 2), (6,)), attrs={"reset_after": False}),
)


def naive(layer, x, w, u, b):
    n_samples, steps, width = x.shape
    size = u.shape[1]
    bias = np.zeros((2, 3 * size)) if b is None else b if b.ndim == 2 else np.stack([b, 0 * b])
    h = np.zeros((n_samples, size), x.dtype)
    states = []
    for t in times(layer, steps):
        new = np.empty_like(h)
        for n in range(n_samples):
            own = [bias[0, row] + sum(x[n, t, j] * w[row, j] for j in range(width)) for row in range(3 * size)]
            back = [bias[1, row] + sum(h[n, j] * u[row, j] for j in range(size)) for row in range(3 * size)]
            reset = [logistic(own[size + k] + back[size + k]) for k in range(size)]
            for k in range(size):
                row = 2 * size + k
                if layer.reset_after:
                    inner = reset[k] * back[row]
                else:
                    inner = sum(reset[j] * h[n, j] * u[row, j] for j in range(size))
                update = logistic(own[k] + back[k])
                new[n, k] = update * h[n, k] + (1 - update) * tanh(own[row] + inner)
        h = new
        states.append(h)
    return finish(layer, states)
