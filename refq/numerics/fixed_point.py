"""Fixed-point primitives: multiplier derivation, doubling high multiply, rounding and saturating shifts.

A real multiplier M is held as an integer m in [2**30, 2**31) and an exponent s with M = m * 2**(s - 31). s > 0 shifts
left, s < 0 right.

A fixed-point number of `bits` bits (32 or 16) and k integer bits is its raw integer: real = raw * 2**(k + 1 - bits).
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


def limits(bits: int) -> tuple[int, int]:
    """Lowest and highest two's complement integer of `bits` bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def saturating_rounding_doubling_high_multiply(a: Any, b: Any, bits: int = 32) -> NDArray[np.int64]:
    """High half of 2*a*b, rounded half up: (a*b + 2**(bits-2)) >> (bits-1), saturating for a = b = -2**(bits-1).

    Parameters
    ----------
    a, b : integer arrays of `bits`-bit values
    bits : 32 or 16

    Notes
    -----
    gemmlowp `SaturatingRoundingDoublingHighMul` nudges by the sign of the product and truncates; for every pair of
    values that equals the half-up shift written here. It is also the product of fixed-point numbers: with j and k
    integer bits it has j + k.

    >>> int(saturating_rounding_doubling_high_multiply(-(2**31), -(2**31)))
    2147483647
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << (bits - 2))) >> (bits - 1), limits(bits)[1])


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


def saturating_rounding_multiply_by_power_of_two(x: Any, exponent: Any, bits: int = 32) -> NDArray[np.int64]:
    """x * 2**exponent, saturating to `bits` bits on the left, rounded half away from zero on the right.

    Parameters
    ----------
    x : integer array of `bits`-bit values
    exponent : int or array in -(bits-1)..bits-1
    bits : 32 or 16

    Raises
    ------
    RangeError    exponent out of its range

    Notes
    -----
    gemmlowp `SaturatingRoundingMultiplyByPOT`; LiteRT `SaturatingRoundingMultiplyByPOTParam` for exponent >= 0.

    >>> saturating_rounding_multiply_by_power_of_two([-5, 3, 2**30], [-1, 2, 1]).tolist()
    [-3, 12, 2147483647]
    """
    x, exponent = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    if np.any(np.abs(exponent) > bits - 1):
        raise RangeError(f"exponent={exponent} is outside {1 - bits}..{bits - 1}")
    left = np.clip(x << np.maximum(exponent, 0), *limits(bits))
    return np.where(exponent >= 0, left, rounding_divide_by_power_of_two(x, np.maximum(-exponent, 0)))


def rescale_fixed_point(x: Any, integer_bits: int, to_integer_bits: int, bits: int = 32) -> NDArray[np.int64]:
    """The same real number with another number of integer bits: saturating towards fewer, rounding towards more.

    Notes
    -----
    gemmlowp `Rescale`. Its `ExactMulByPot<e>` keeps the raw integer and counts `e` more integer bits; there is nothing
    to compute.

    >>> int(rescale_fixed_point(3 << 26, 5, 3))
    805306368
    """
    return saturating_rounding_multiply_by_power_of_two(x, integer_bits - to_integer_bits, bits)


def rounding_half_sum(a: Any, b: Any) -> NDArray[np.int64]:
    """(a + b) / 2, rounded half away from zero; gemmlowp `RoundingHalfSum`."""
    return rounding_divide_by_power_of_two(np.asarray(a, np.int64) + np.asarray(b, np.int64), 1)


def narrow_constant(raw32: int, bits: int) -> int:
    """A constant given in 32 bits, in `bits` bits; gemmlowp `RescaleConstantInitializer`."""
    return int(rounding_divide_by_power_of_two(raw32, 32 - bits))


def leading_zeros(x: Any) -> NDArray[np.int64]:
    """Zeros above the highest set bit of non-negative integers below 2**32, of 32 bits.

    >>> leading_zeros([0, 1, 2**31 - 1]).tolist()
    [32, 31, 1]
    """
    # frexp is exact below 2**53: x = mantissa * 2**exponent with mantissa in [1/2, 1), and exponent 0 for x = 0
    return 32 - np.frexp(np.asarray(x, np.int64).astype(np.float64))[1].astype(np.int64)
