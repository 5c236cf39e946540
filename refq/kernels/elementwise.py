"""Sums, tables and pools of int8 codes."""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled
from refq.kernels.lanes import sum_lanes
from refq.kernels.requantize import requantize_rows

_DOUBLE, _SINGLE, _SINGLE_AWAY = (sum_lanes(rule, rule, True) for rule in range(3))
_ABOVE_ZERO = sum_lanes(0, 3, True)
_FEW_DOUBLE, _FEW_SINGLE, _FEW_SINGLE_AWAY = (sum_lanes(rule, rule, False) for rule in range(3))


@compiled
def add(a, b, settings, left, limits, y):
    """Sums or differences of codes; a, b, y (elements) int8, y apart from both; limits: rule, zero, low, high.

    settings (8) int32, left: see `lanes.sum_lanes`
    """
    rule, zero, low, high = limits
    x0, x1, constants, out = a.ctypes.data, b.ctypes.data, settings.ctypes.data, y.ctypes.data
    size = len(y)
    if size >= 64:
        if rule == 0:
            _DOUBLE(x0, x1, constants, left, zero, low, high, out, size)
        elif rule == 1:
            _SINGLE(x0, x1, constants, left, zero, low, high, out, size)
        elif rule == 2:
            _SINGLE_AWAY(x0, x1, constants, left, zero, low, high, out, size)
        else:
            _ABOVE_ZERO(x0, x1, constants, left, zero, low, high, out, size)
        return
    for i in range(0, size, 16):
        count = min(16, size - i)
        if rule == 0 or rule == 3:
            _FEW_DOUBLE(x0 + i, x1 + i, constants, left, zero, low, high, out + i, count)
        elif rule == 1:
            _FEW_SINGLE(x0 + i, x1 + i, constants, left, zero, low, high, out + i, count)
        else:
            _FEW_SINGLE_AWAY(x0 + i, x1 + i, constants, left, zero, low, high, out + i, count)


@compiled
def look_up(x, table, y):
    """y = table[x]; x (elements) uint8; y (elements) and table (256) int8; entry 255 belongs to code -1."""
    for i in range(len(y)):
        y[i] = table[x[i]]


@compiled
def average(x, window, low, high, acc, y):
    """Mean of the codes under a window, half away from zero.

    x (N, H, W, C) int8; y (N, OY, OX, C) int8; acc (C) int32
    window: pool_y, pool_x, stride_y, stride_x, top, left
    """
    pool_y, pool_x, stride_y, stride_x, top, left = window
    images, height, width, channels = x.shape
    for n in range(images):
        for oy in range(y.shape[1]):
            for ox in range(y.shape[2]):
                first_y, first_x = oy * stride_y - top, ox * stride_x - left
                y0, y1 = max(first_y, 0), min(first_y + pool_y, height)
                x0, x1 = max(first_x, 0), min(first_x + pool_x, width)
                for c in range(channels):
                    acc[c] = 0
                for iy in range(y0, y1):
                    for ix in range(x0, x1):
                        seen = x[n, iy, ix]
                        for c in range(channels):
                            acc[c] += np.int32(seen[c])
                count = np.int32((y1 - y0) * (x1 - x0))
                out = y[n, oy, ox]
                for c in range(channels):
                    total = acc[c]
                    quotient = (abs(total) + count // np.int32(2)) // count
                    out[c] = np.int8(min(max(quotient if total >= 0 else -quotient, low), high))


@compiled
def largest(x, window, low, high, y):
    """Largest code under a window; arrays and window as in `average`."""
    pool_y, pool_x, stride_y, stride_x, top, left = window
    images, height, width, channels = x.shape
    for n in range(images):
        for oy in range(y.shape[1]):
            for ox in range(y.shape[2]):
                first_y, first_x = oy * stride_y - top, ox * stride_x - left
                out = y[n, oy, ox]
                for c in range(channels):
                    out[c] = np.int8(-128)
                for iy in range(max(first_y, 0), min(first_y + pool_y, height)):
                    for ix in range(max(first_x, 0), min(first_x + pool_x, width)):
                        seen = x[n, iy, ix]
                        for c in range(channels):
                            out[c] = max(out[c], seen[c])
                for c in range(channels):
                    out[c] = np.int8(min(max(np.int32(out[c]), low), high))


@compiled
def mean_of_rows(x, constants, limits, acc, y):
    """Sums of codes over the rows of an image, requantized; x (N, rows, C) int8, y (N, C) int8.

    constants (3, C padded to 16) int32: bias, multiplier, right shift      limits: rule, zero, low, high
    acc (C padded to 16) int32
    """
    images, rows, channels = x.shape
    for n in range(images):
        for c in range(channels):
            acc[c] = 0
        for row in range(rows):
            seen = x[n, row]
            for c in range(channels):
                acc[c] += np.int32(seen[c])
        sums, place = acc.ctypes.data, y.ctypes.data + n * channels
        requantize_rows(sums, 0, 1, constants.ctypes.data, 4 * constants.shape[1], limits, place, channels, channels)
