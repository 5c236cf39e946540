from math import exp, tanh

import numpy as np

from tests.naive import Case

OP = "LSTM"
CASES = (
    Case(shapes=((2, 3, 2), (8, 2), (8, 2), (8,))),
    Case(shapes=((1, 2, 3), (4, 3), (4, 1), None), attrs={"return_sequences": True, "go_backwards": True}),
)


def logistic(v):
    return 1 / (1 + exp(-v))


def times(layer, steps):
    return reversed(range(steps)) if layer.go_backwards else range(steps)


def finish(layer, states):
    return np.stack(states, axis=1) if layer.return_sequences else states[-1]


def naive(layer, x, w, u, b):
    n_samples, steps, _ = x.shape
    size = u.shape[1]
    h, c = np.zeros((n_samples, size), x.dtype), np.zeros((n_samples, size), x.dtype)
    states = []
    for t in times(layer, steps):
        new_h = np.empty_like(h)
        for n, k in np.ndindex(n_samples, size):

            def pre(which, n=n, k=k):
                row = which * size + k
                total = 0.0 if b is None else b[row]
                total += sum(x[n, t, j] * w[row, j] for j in range(x.shape[2]))  # noqa: B023
                return total + sum(h[n, j] * u[row, j] for j in range(size))  # noqa: B023

            c[n, k] = logistic(pre(1)) * c[n, k] + logistic(pre(0)) * tanh(pre(2))
            new_h[n, k] = logistic(pre(3)) * tanh(c[n, k])
        h = new_h
        states.append(h)
    return finish(layer, states)
