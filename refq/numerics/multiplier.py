"""Further ways to make a multiplier (m, s), M = m * 2**(s - 31): checked, saturating, for softmax; and their range."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import quantize_multiplier

Multiplier = tuple[NDArray[np.int32], NDArray[np.int32]]
_SMALLEST, _LARGEST = 1 << 30, (1 << 31) - 1


def fixed_point_factors(m: Any, s: Any, shifts: tuple[int, int] = (-31, 30)) -> Multiplier:
    """Multipliers and shifts from outside, checked once so that applying them needs no check.

    Parameters
    ----------
    m : integers, 0 or in [2**30, 2**31)
    s : integers in `shifts`, > 0 to the left; (-31, 7) for the requantizer `int64`

    Raises
    ------
    RangeError    naming the first value out of its range

    >>> [int(v) for v in fixed_point_factors(1 << 30, -1)]
    [1073741824, -1]
    """
    m, s = np.asarray(m), np.asarray(s)
    bad = (m != 0) & ((m < _SMALLEST) | (m > _LARGEST))
    if np.any(bad):
        raise RangeError(f"multiplier={int(m[bad][0])} is neither 0 nor in [2**30, 2**31); normalise it with its shift")
    off = (s < shifts[0]) | (s > shifts[1])
    if np.any(off):
        raise RangeError(f"shift={int(s[off][0])} is outside {shifts[0]}..{shifts[1]}")
    return m.astype(np.int32), s.astype(np.int32)


def quantize_multiplier_single_rounding(real: Any) -> Multiplier:
    """`quantize_multiplier` as single-rounding builds have it: beyond 2**30 it saturates to (2**31 - 1, 30).

    >>> [int(v) for v in quantize_multiplier_single_rounding(2.0**31)]
    [2147483647, 30]
    """
    m, s = quantize_multiplier(real)
    beyond = s > 30
    return np.where(beyond, _LARGEST, m).astype(np.int32), np.where(beyond, 30, s).astype(np.int32)


def quantize_multiplier_smaller_than_one(real: Any) -> Multiplier:
    """`quantize_multiplier` of values in (0, 1) that stay below 1 once rounded: s <= 0.

    Raises
    ------
    RangeError    a value is not in (0, 1), or rounds to 1

    Notes
    -----
    LiteRT `QuantizeMultiplierSmallerThanOneExp`.
    """
    real = np.asarray(real, np.float64)
    m, s = quantize_multiplier(real)
    if np.any((real <= 0) | (real >= 1) | (s > 0)):
        raise RangeError(f"multiplier={real} is not in (0, 1), or rounds to 1")
    return m, s


def quantize_multiplier_greater_than_one(real: Any) -> Multiplier:
    """`quantize_multiplier` of values above 1: s > 0.

    Raises
    ------
    RangeError    a value is not above 1

    Notes
    -----
    LiteRT `QuantizeMultiplierGreaterThanOne`.
    """
    real = np.asarray(real, np.float64)
    m, s = quantize_multiplier(real)
    if np.any(real <= 1):
        raise RangeError(f"multiplier={real} is not above 1")
    return m, s


def preprocess_softmax_scaling(
    beta: float, scale: float, integer_bits: int, *, single_rounding: bool = False
) -> tuple[int, int]:
    """Multiplier (m, s) that brings differences of codes to fixed point with `integer_bits` integer bits.

        M = min(beta * scale * 2**(31 - integer_bits), 2**31 - 1)

    Parameters
    ----------
    beta, scale : float > 0
    integer_bits : int in 0..31
    single_rounding : limit M at 2**30 - 1, as single-rounding builds do

    Raises
    ------
    RangeError    M is not above 1: the input scale is too small for integer softmax

    Notes
    -----
    LiteRT `PreprocessSoftmaxScaling`; float64 throughout.

    >>> preprocess_softmax_scaling(1.0, 8.0, 4)
    (1073741824, 31)
    """
    largest = (1 << (30 if single_rounding else 31)) - 1.0
    m, s = quantize_multiplier_greater_than_one(min(beta * scale * (1 << (31 - integer_bits)), largest))
    return int(m), int(s)


def calculate_input_radius(integer_bits: int, left_shift: int, total_signed_bits: int = 31) -> int:
    """Largest input magnitude that, shifted left and read with `integer_bits` integer bits, stays in range.

        floor((2**integer_bits - 1) * 2**(total_signed_bits - integer_bits) / 2**left_shift)

    Notes
    -----
    LiteRT `CalculateInputRadius`; softmax counts differences below -radius as 0.

    >>> calculate_input_radius(4, 27)
    15
    """
    return floor(((1 << integer_bits) - 1) * 2.0 ** (total_signed_bits - integer_bits) / 2.0**left_shift)
