"""Q31 fixed-point primitives: multiplier derivation, doubling high multiply, rounding shift.

A real multiplier M is held as an integer m in [2**30, 2**31) and an exponent s with M = m * 2**(s - 31). s > 0 shifts
left, s < 0 right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.rounding import round_real

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def quantize_multiplier(real: Any) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Split positive reals into (m, s) with real = m * 2**(s - 31), m in [2**30, 2**31).

    Parameters
    ----------
    real : float64 array, >= 0 and finite

    Returns
    -------
    m, s : int32 arrays of the same shape; (0, 0) where real < 2**-32

    Raises
    ------
    RangeError    if a value is negative or not finite

    Notes
    -----
    TFLite `QuantizeMultiplier`. The mantissa is rounded half away from zero; the one that reaches 2**31 is halved.

    >>> [int(v) for v in quantize_multiplier(0.25)]
    [1073741824, -1]
    """
    real = np.asarray(real, np.float64)
    if not np.all(np.isfinite(real) & (real >= 0)):
        raise RangeError(f"multiplier={real} must be finite and not negative; check the scales it was made from")
    mantissa, exponent = np.frexp(real)
    m = round_real(mantissa * 2.0**31, "half_away").astype(np.int64)
    s: NDArray[np.int64] = np.asarray(exponent, np.int64)
    carried = m == 1 << 31
    m = np.where(carried, m >> 1, m)
    s = np.where(carried, s + 1, s)
    vanished = s < -31
    return (
        np.where(vanished, 0, m).astype(np.int32),
        np.where(vanished, 0, s).astype(np.int32),
    )


def saturating_rounding_doubling_high_multiply(a: Any, b: Any) -> NDArray[np.int64]:
    """High half of 2*a*b, rounded half up: (a*b + 2**30) >> 31, saturating for a = b = -2**31.

    Parameters
    ----------
    a, b : integer arrays of int32 values

    Notes
    -----
    gemmlowp `SaturatingRoundingDoublingHighMul` nudges by the sign of the product and truncates; for every pair of
    int32 values that equals the half-up shift written here.

    >>> int(saturating_rounding_doubling_high_multiply(-(2**31), -(2**31)))
    2147483647
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def rounding_divide_by_power_of_two(x: Any, exponent: Any) -> NDArray[np.int64]:
    """x / 2**exponent, rounded half away from zero.

    Parameters
    ----------
    x : integer array, |x| < 2**62
    exponent : int or array in 0..31

    Notes
    -----
    gemmlowp `RoundingDivideByPOT`.

    >>> rounding_divide_by_power_of_two(np.array([-3, -1, 1, 3]), 1).tolist()
    [-2, -1, 1, 2]
    """
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def wrap_int32(x: NDArray[Any]) -> NDArray[np.int64]:
    """Keep the low 32 bits, read as two's complement."""
    return ((np.asarray(x, np.int64) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
