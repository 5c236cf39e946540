"""From int32 accumulators to int8 codes, sixteen channels at a time; formulas as in `refq.numerics.requantize`."""

from __future__ import annotations

import numpy as np
from numba import njit

from refq.kernels.lanes import requantize_lanes

_DOUBLE, _SINGLE, _SINGLE_AWAY, _ABOVE_ZERO, _UPPER = (requantize_lanes(rule) for rule in range(5))


@njit(inline="always")
def requantize_rows(acc, acc_stride, rows, constants, stride, limits, y, y_stride, channels):
    """acc (rows, channels) int32 -> y (rows, channels) int8, all by address; strides in bytes, rows at least 1.

    constants: bias, multiplier, right shift, each int32 (channels), `stride` bytes apart and padded to 16 channels
    limits: rule, zero, low, high. Accumulators plus bias stay within 32 bits: who prepares the constants proves it.
    Of acc, 16 channels are read where fewer are left.
    """
    rule, zero, low, high = limits
    for c in range(0, channels, 16):
        count, sums, bias = min(16, channels - c), acc + 4 * c, constants + 4 * c
        m, s = bias + stride, bias + 2 * stride
        if rule == 0:
            _DOUBLE(sums, acc_stride, rows, bias, m, s, zero, low, high, y + c, y_stride, count)
        elif rule == 1:
            _SINGLE(sums, acc_stride, rows, bias, m, s, zero, low, high, y + c, y_stride, count)
        elif rule == 2:
            _SINGLE_AWAY(sums, acc_stride, rows, bias, m, s, zero, low, high, y + c, y_stride, count)
        elif rule == 3:
            _ABOVE_ZERO(sums, acc_stride, rows, bias, m, s, zero, low, high, y + c, y_stride, count)
        else:
            _UPPER(sums, acc_stride, rows, bias, m, s, zero, low, high, y + c, y_stride, count)


@njit(inline="always")
def fit_rows(acc, rows, width, bias, first, register):
    """Bring acc[:rows, :width] + bias into a narrow register, and take the bias, which comes again, off.

    acc int32; bias int32, that of column 0 at `first`; both are added modulo 2**32
    register: 32 - bits, and whether it saturates or wraps
    """
    places, saturates = register
    low, high = np.int32(-(2**31)) >> places, np.int32(2**31 - 1) >> places
    for r in range(rows):
        for i in range(width):
            total = np.int32(acc[r, i] + bias[first + i])
            held = min(max(total, low), high) if saturates else np.int32(total << places) >> places
            acc[r, i] = np.int32(held - bias[first + i])
