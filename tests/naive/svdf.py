from math import floor

import numpy as np

from tests.naive import Case
from tests.naive.fixed_point import double

OP = "Svdf"
CASES = (
    Case(shapes=((2, 3), (4, 3), (4, 2), (4,), None), attrs={"state_scale": 0.0005}),
    Case(shapes=((1, 3, 2), (6, 2), (6, 4), (2,), (1, 6, 4)), attrs={"rank": 3}),
    Case(shapes=((2, 5, 1), (2, 1), (2, 3), None, None), attrs={"rank": 2, "state_scale": 0.0002}),
    Case(shapes=((1, 2), (1, 2), (1, 1), None, (1, 1, 1))),
)


def naive(layer, x, w, u, b, state):
    return run(layer, x, w, u, b, state, lambda v: v, lambda v: v)


def run(layer, x, w, u, b, state, to_state, to_output):
    steps = x if x.ndim == 3 else x[:, None]
    filters, memory = u.shape
    units = filters // layer.rank
    y = np.empty((len(x), steps.shape[1], units), x.dtype)
    for n in range(len(x)):
        held = [[0] * memory if state is None else list(state[n, f]) for f in range(filters)]
        for t in range(steps.shape[1]):
            for f in range(filters):
                new = sum(steps[n, t, i] * w[f, i] for i in range(x.shape[-1]))
                held[f] = [*held[f][1:], to_state(new)]
            for k in range(units):
                total = 0 if b is None else b[k]
                for f in range(k * layer.rank, (k + 1) * layer.rank):
                    total = total + sum(held[f][m] * u[f, m] for m in range(memory))
                y[n, t, k] = to_output(total)
    return y if x.ndim == 3 else y[:, 0]


def half_even(v):
    low = floor(v)
    return low + (1 if v - low > 0.5 or (v - low == 0.5 and low % 2) else 0)


def naive_integer(layer, codes, grids, out):
    x, w, u, b, state = codes
    single = [np.float32(grid.scale) for grid in grids[:3]]
    if grids[4] is not None:
        scale, zero, low, high = np.float32(grids[4].scale), int(grids[4].zero_point), -128, 127
    else:
        scale, zero, low, high = np.float32(layer.state_scale), 0, -32768, 32767
    x, w, u = (q - int(grid.zero_point) for q, grid in zip((x, w, u), grids[:3], strict=True))
    if b is not None:
        step = float(scale) * float(single[2])
        b = np.array([half_even(float(v) / step) for v in b], object)
    into, leave = single[0] * single[1] / scale, scale * single[2] / np.float32(out.scale)
    return run(
        layer,
        x,
        w,
        u,
        b,
        None if state is None else state - zero,
        lambda v: min(max(double(v, float(into)), low - zero), high - zero),
        lambda v: double(v, float(leave)) + int(out.zero_point),
    )
