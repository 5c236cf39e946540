"""Passes over reals on one uniform grid, and the gradients that go with them; each reads every array once.

q = x / scale        low, high: the ends of the grid in steps from zero, qmin - zero_point and qmax - zero_point
"""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled


@compiled
def round_to_grid(x, scale, zero, low, high, y):
    """y = (clip(rint(q) + zero, low, high) - zero) * scale, low and high being codes; NaN counts as 0; (elements)"""
    for i in range(len(x)):
        seen = x[i]
        seen = seen if seen == seen else x.dtype.type(0)
        code = min(max(np.rint(seen / scale) + zero, low), high)
        y[i] = (code - zero) * scale


@compiled
def pass_on_grid(dy, x, scale, low, high, dx):
    """dx = dy where low <= q <= high, else 0; (elements)"""
    for i in range(len(x)):
        step = x[i] / scale
        dx[i] = dy[i] if (step >= low) & (step <= high) else dy[i] * 0


@compiled
def add_step_slopes(dy, x, y, scale, low, high, dx, total):
    """dx = dy where low < q < high, else 0; total += sum over rows of dy * (y / scale - q there)

    dy, x, y, dx (rows, lanes); total (lanes)
    """
    for row in range(len(x)):
        for lane in range(len(total)):
            slope, step, level = dy[row, lane], x[row, lane] / scale, y[row, lane] / scale
            inside = (step > low) & (step < high)
            dx[row, lane] = slope if inside else slope * 0
            total[lane] += slope * (level - step if inside else level)
