from math import exp, tanh

import numpy as np

from tests.naive import Case, gemmlowp
from tests.naive.fixed_point import double, rdbypot

OP = "LSTM"
CASES = (
    Case(shapes=((2, 3, 2), (8, 2), (8, 2), (8,)), attrs={"cell_power": -13}),
    Case(
        shapes=((1, 2, 3), (4, 3), (4, 1), None),
        attrs={"return_sequences": True, "go_backwards": True, "cell_power": -9},
    ),
    Case(shapes=((1, 4, 2), (8, 2), (8, 2), (8,)), attrs={"cell_clip": 0.3, "cell_power": -15}),
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
            if layer.cell_clip:
                c[n, k] = max(-layer.cell_clip, min(layer.cell_clip, c[n, k]))
            new_h[n, k] = logistic(pre(3)) * tanh(c[n, k])
        h = new_h
        states.append(h)
    return finish(layer, states)


def int16(v):
    return max(-(2**15), min(2**15 - 1, v))


def factor(*scales):
    """The product of float32 scales, formed in float32, in steps of Q3.12."""
    return float(np.float32(np.float32(scales[0] * scales[1]) / np.float32(2.0**-12)))


def naive_integer(layer, codes, grids, out):
    x, w, u, b = codes
    x, w, u = (q - int(grid.zero_point) for q, grid in zip((x, w, u), grids[:3], strict=True))
    s_x, s_w, s_u, power = grids[0].scale, grids[1].scale, grids[2].scale, layer.cell_power
    if b is not None:
        b = [round(float(v) / (float(s_x) * float(s_w))) for v in b]  # Python rounds half to even
    into, back = factor(s_w, s_x), factor(s_u, out.scale)
    leave = float(np.float32(2.0**-30) / np.float32(out.scale))
    clip = 2**15 - 1 if not layer.cell_clip else int(layer.cell_clip / 2.0**power)
    n_samples, steps, width = x.shape
    size, zero = u.shape[1], int(out.zero_point)
    h, c = np.full((n_samples, size), zero, object), np.zeros((n_samples, size), object)
    states = []
    for t in times(layer, steps):
        new_h = h.copy()
        for n, k in np.ndindex(n_samples, size):
            i, f, g, o = (
                gemmlowp.Fixed(int16(own + other), 3, 16)
                for own, other in (
                    (
                        int16(double((b[r] if b else 0) + sum(x[n, t, j] * w[r, j] for j in range(width)), into)),
                        double(sum((h[n, j] - zero) * u[r, j] for j in range(size)), back),
                    )
                    for r in (k, size + k, 2 * size + k, 3 * size + k)
                )
            )
            kept = rdbypot(gemmlowp.logistic(f).raw * c[n, k], 15)
            new = rdbypot(gemmlowp.logistic(i).raw * gemmlowp.tanh(g).raw, 30 + power)
            c[n, k] = max(-clip - (0 if layer.cell_clip else 1), min(clip, kept + new))
            squashed = gemmlowp.tanh(gemmlowp.Fixed(c[n, k], 15 + power, 16)).raw
            new_h[n, k] = max(-128, min(127, double(gemmlowp.logistic(o).raw * squashed, leave) + zero))
        h = new_h
        states.append(h)
    return finish(layer, states)
