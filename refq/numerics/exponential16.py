"""Fixed-point logistic and tanh on 16-bit raw numbers, as gemmlowp's templates compute them for int16.

The same formulas as in `exponential`, with products (a * b + 2**14) >> 15, 16-bit constants, and additions that saturate
where gemmlowp's do. LiteRT's integer LSTM takes its gates from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import rounding_divide_by_power_of_two as rdbypot

Raw = NDArray[np.int64]

_LOW, _ONE = -(1 << 15), (1 << 15) - 1
_EXP_MINUS_EIGHTH = 28918  # exp(-1/8) in Q0.15
_THIRD = 10923  # 1/3 in Q0.15
_EXP_OF_POWERS = {-2: 25520, -1: 19875, 0: 12055, 1: 4435, 2: 600, 3: 11, 4: 0}
"""exp(-2**k) in Q0.15: the 32-bit constants of `exponential` without their low 16 bits, rounded."""
_48_OVER_17, _MINUS_32_OVER_17 = 23130, -15420  # in Q2.13


def logistic16(v: Any, integer_bits: int = 3) -> Raw:
    """1 / (1 + exp(-v)) in Q0.15.

    Parameters
    ----------
    v : integer array of int16 values, in Q(integer_bits).(15 - integer_bits)

    Notes
    -----
    gemmlowp `logistic` on FixedPoint<int16>: 1 / (1 + exp(-|v|)), mirrored by 1 - y; 1/2 at zero.

    >>> logistic16([-4096, 0, 4096]).tolist()
    [8812, 16384, 23955]
    """
    v = np.asarray(v, np.int64)
    positive = _saturate(_newton(_exp(-np.abs(v), integer_bits)) << 1)
    return np.where(v == 0, 1 << 14, np.where(v > 0, positive, _ONE - positive))


def fixed_tanh16(v: Any, integer_bits: int = 3) -> Raw:
    """tanh(v) in Q0.15 for v in Q(integer_bits).(15 - integer_bits), 0 to 6 integer bits.

    Raises
    ------
    RangeError    another number of integer bits; LiteRT computes nothing there

    Notes
    -----
    gemmlowp `tanh` on FixedPoint<int16>: (1 - e) / (1 + e) with e = exp(-2|v|), which has one integer bit more.
    """
    if not 0 <= integer_bits <= 6:
        raise RangeError(f"tanh with integer_bits={integer_bits} is outside 0..6")
    v = np.asarray(v, np.int64)
    positive = _saturate((_newton(_exp(-np.abs(v), integer_bits + 1)) - (1 << 13)) << 2)
    return np.where(v < 0, -positive, np.where(v == 0, 0, positive))


def _multiply(a: Any, b: Any) -> Raw:
    """gemmlowp SaturatingRoundingDoublingHighMul on int16."""
    return np.minimum((np.asarray(a, np.int64) * b + (1 << 14)) >> 15, _ONE)


def _saturate(x: Raw) -> Raw:
    return np.clip(x, _LOW, _ONE)


def _exp(a: Raw, integer_bits: int) -> Raw:
    """exp(a) in Q0.15 for a <= 0."""
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    remainder = rest - a
    x = _saturate(rest << integer_bits) + (1 << 12)
    x2 = _multiply(x, x)
    x3, x4 = _multiply(x2, x), _multiply(x2, x2)
    tail = rdbypot(_multiply(rdbypot(x4, 2) + x3, _THIRD) + x2, 1)
    result = _saturate(_EXP_MINUS_EIGHTH + _multiply(_EXP_MINUS_EIGHTH, x + tail))
    for exponent, factor in _EXP_OF_POWERS.items():
        if integer_bits > exponent:
            has_bit = (remainder >> (fraction_bits + exponent)) & 1
            result = np.where(has_bit == 1, _multiply(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(32 << fraction_bits), 0, result)
    return np.where(a == 0, _ONE, result)


def _newton(a: Raw) -> Raw:
    """2 / (1 + a) in Q2.13 for a in [0, 1), Q0.15: three Newton-Raphson steps on half the denominator."""
    total = a + _ONE
    half = (total + 1) // 2
    x = _48_OVER_17 + _multiply(half, _MINUS_32_OVER_17)
    for _ in range(3):
        x = x + _saturate(_multiply(x, (1 << 13) - _multiply(half, x)) << 2)
    return x
