"""The passes of batch normalization over rows of channels, forward and backward; each reads every array once.

x, dy, y, dx (rows, lanes); the other arrays (lanes), one number a channel, the channels as often as a row holds them.
"""

from __future__ import annotations

from refq.kernels.compiled import compiled


@compiled
def add_rows(x, total):
    """total += sum over rows of x"""
    for row in range(len(x)):
        seen = x[row]
        for lane in range(len(total)):
            total[lane] += seen[lane]


@compiled
def add_squares(x, mean, total):
    """total += sum over rows of (x - mean)**2"""
    for row in range(len(x)):
        seen = x[row]
        for lane in range(len(total)):
            centred = seen[lane] - mean[lane]
            total[lane] += centred * centred


@compiled
def scale(x, mean, factor, offset, y):
    """y = (x - mean) * factor + offset"""
    for row in range(len(x)):
        seen, out = x[row], y[row]
        for lane in range(len(mean)):
            out[lane] = (seen[lane] - mean[lane]) * factor[lane] + offset[lane]


@compiled
def add_slopes(dy, x, mean, total, along):
    """total += sum over rows of dy, along += sum over rows of dy * (x - mean)"""
    for row in range(len(x)):
        seen, slopes = x[row], dy[row]
        for lane in range(len(mean)):
            total[lane] += slopes[lane]
            along[lane] += slopes[lane] * (seen[lane] - mean[lane])


@compiled
def combine(dy, x, mean, factor, slope, offset, dx):
    """dx = dy * factor + (x - mean) * slope + offset"""
    for row in range(len(x)):
        seen, slopes, out = x[row], dy[row], dx[row]
        for lane in range(len(mean)):
            out[lane] = slopes[lane] * factor[lane] + (seen[lane] - mean[lane]) * slope[lane] + offset[lane]


@compiled
def pass_between(dy, x, low, high, dx):
    """dx = dy where low <= x < high, else 0; (elements)"""
    for i in range(len(x)):
        seen = x[i]
        dx[i] = dy[i] if (seen >= low) & (seen < high) else dy[i] * 0
