"""Fixed-point division by Newton-Raphson steps: 1/(1+x), (1-x)/(1+x) and 1/x, as gemmlowp and LiteRT compute them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import leading_zeros, limits, narrow_constant, rescale_fixed_point, rounding_half_sum
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm

_48_OVER_17 = 1515870810  # Q2.29
_MINUS_32_OVER_17 = -1010580540  # Q2.29


def _two_over_one_plus_x(a: Any, bits: int) -> NDArray[np.int64]:
    """2 / (1 + a) with 2 integer bits: x += x * (1 - h * x) three times on h = (1 + a) / 2, from 48/17 - 32/17 * h."""
    half = rounding_half_sum(a, limits(bits)[1])
    x = narrow_constant(_48_OVER_17, bits) + srdhm(half, narrow_constant(_MINUS_32_OVER_17, bits), bits)
    for _ in range(3):
        error = (1 << (bits - 3)) - srdhm(half, x, bits)
        x = x + rescale_fixed_point(srdhm(x, error, bits), 4, 2, bits)
    return x


def one_over_one_plus_x(a: Any, bits: int = 32) -> NDArray[np.int64]:
    """1 / (1 + a) for a in [0, 1), both with 0 integer bits.

    Parameters
    ----------
    a : integer array of `bits`-bit values >= 0
    bits : 32 or 16

    Notes
    -----
    gemmlowp `one_over_one_plus_x_for_x_in_0_1`: half of 2 / (1 + a).

    >>> bool(abs(one_over_one_plus_x(1 << 30) - 2**31 / 1.5) <= 6)
    True
    """
    return rescale_fixed_point(_two_over_one_plus_x(a, bits), 1, 0, bits)


def one_minus_x_over_one_plus_x(a: Any, bits: int = 32) -> NDArray[np.int64]:
    """(1 - a) / (1 + a) for a in [0, 1), both with 0 integer bits; parameters as in `one_over_one_plus_x`.

    Notes
    -----
    gemmlowp `one_minus_x_over_one_plus_x_for_x_in_0_1`: 2 / (1 + a) - 1.
    """
    return rescale_fixed_point(_two_over_one_plus_x(a, bits) - (1 << (bits - 3)), 2, 0, bits)


def reciprocal(x: Any, integer_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """1 / x as (r, k): 1 / x = r * 2**(-31 - k), r in [2**30, 2**31).

    Parameters
    ----------
    x : integer array of positive int32 values, real value x * 2**(integer_bits - 31)
    integer_bits : int

    Raises
    ------
    RangeError    x is not positive

    Notes
    -----
    LiteRT `GetReciprocal`, its `x_integer_digits` and `num_bits_over_unit`: x is shifted left until it is 1.f in Q0.31
    with the leading 1 out of sight, then r = 1 / (1 + f).

    >>> [int(v) for v in reciprocal(1 << 30, 1)]
    [2147483647, 0]
    """
    x = np.asarray(x, np.int64)
    if np.any((x <= 0) | (x > limits(32)[1])):
        raise RangeError(f"x={x} must be a positive 32-bit integer to have a reciprocal")
    shift = leading_zeros(x)
    return one_over_one_plus_x((x << shift) - (1 << 31)), integer_bits - shift
