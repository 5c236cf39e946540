"""Softmax of int8 codes in gemmlowp fixed point, one row after the other; the law is `refq.layers.softmax`."""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled

_FACTORS = np.array([1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242], np.int64)
"""exp(-2**k), k = -2 .. 4, in Q0.31."""
_LARGEST = (1 << 31) - 1


@compiled
def _srdhm(a, b):
    """Doubling high multiply, half up, of int32 values held in int64."""
    return min((a * b + np.int64(1 << 30)) >> np.int64(31), np.int64(_LARGEST))


@compiled
def _rdbypot(x, exponent):
    """Division by a power of two, half away from zero."""
    mask = (np.int64(1) << exponent) - np.int64(1)
    return (x >> exponent) + np.int64((x & mask) > (mask >> np.int64(1)) + np.int64(x < 0))


@compiled
def _exp(a):
    """exp(a) in Q0.31 for a <= 0 in Q5.26."""
    if a == 0:
        return np.int64(_LARGEST)
    quarter = np.int64(1 << 24)
    rest = (a & (quarter - 1)) - quarter
    remainder = rest - a
    x = (rest << np.int64(5)) + np.int64(1 << 28)
    x2 = _srdhm(x, x)
    x3, x4 = _srdhm(x2, x), _srdhm(x2, x2)
    tail = _rdbypot(_srdhm(_rdbypot(x4, np.int64(2)) + x3, np.int64(715827883)) + x2, np.int64(1))
    result = np.int64(1895147668) + _srdhm(np.int64(1895147668), x + tail)
    for k in range(7):
        if (remainder >> np.int64(24 + k)) & 1:
            result = _srdhm(result, _FACTORS[k])
    return result


@compiled
def _one_over_one_plus(a):
    """1 / (1 + a) in Q0.31 for a in [0, 1), Q0.31."""
    half = (a + np.int64(_LARGEST) + 1) // 2
    x = np.int64(1515870810) + _srdhm(half, np.int64(-1010580540))
    for _ in range(3):
        correction = _srdhm(x, np.int64(1 << 29) - _srdhm(half, x))
        x += min(max(correction << np.int64(2), np.int64(-(1 << 31))), np.int64(_LARGEST))
    return min(max(x << np.int64(1), np.int64(-(1 << 31))), np.int64(_LARGEST))


@compiled
def softmax_rows(x, multiplier, left_shift, diff_min, low, high, terms, y):
    """x, y (rows, n) int8; terms (n) int64 scratch; multiplier and left_shift of the input scale in Q5.26."""
    rows, count = x.shape
    for r in range(rows):
        largest = np.int64(-128)
        for i in range(count):
            largest = max(largest, np.int64(x[r, i]))
        total = np.int64(0)
        for i in range(count):
            d = np.int64(x[r, i]) - largest
            terms[i] = -1
            if d >= diff_min:
                terms[i] = _exp(_srdhm(d << left_shift, multiplier))
                total += _rdbypot(terms[i], np.int64(12))
        headroom = np.int64(31)
        while total >> (np.int64(32) - headroom) > 0:
            headroom -= 1
        reciprocal = _one_over_one_plus((total << headroom) - np.int64(1 << 31))
        for i in range(count):
            value = np.int64(-128)
            if terms[i] >= 0:
                value += _rdbypot(_srdhm(reciprocal, terms[i]), np.int64(12) - headroom + np.int64(23))
            y[r, i] = np.int8(min(max(value, low), high))
