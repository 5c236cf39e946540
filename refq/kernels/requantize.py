"""From int32 accumulators to int8 codes, sixteen channels at a time; formulas as in `refq.numerics.requantize`."""

from __future__ import annotations

import numpy as np
from numba import njit

from refq.kernels.lanes import requantize_lanes

_DOUBLE, _SINGLE, _SINGLE_AWAY = (requantize_lanes(rule) for rule in range(3))


@njit(inline="always")
def requantize_row(acc, constants, stride, limits, y, channels):
    """acc (channels) int32 -> y (channels) int8, all by address.

    constants: bias, multiplier, right shift, each int32 (channels), `stride` bytes apart and padded to 16 channels
    limits: rule, zero, low, high. Accumulators plus bias stay within 32 bits: who prepares the constants proves it.
    """
    rule, zero, low, high = limits
    multiplier, shift = constants + stride, constants + 2 * stride
    for c in range(0, channels, 16):
        count, at = min(16, channels - c), 4 * c
        if rule == 0:
            _DOUBLE(acc + at, constants + at, multiplier + at, shift + at, zero, low, high, y + c, count)
        elif rule == 1:
            _SINGLE(acc + at, constants + at, multiplier + at, shift + at, zero, low, high, y + c, count)
        else:
            _SINGLE_AWAY(acc + at, constants + at, multiplier + at, shift + at, zero, low, high, y + c, count)


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
