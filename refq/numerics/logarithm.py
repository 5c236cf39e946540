"""Fixed-point natural logarithm, as LiteRT's LOG_SOFTMAX computes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import INT32_MAX, INT32_MIN, leading_zeros, rescale_fixed_point, rounding_half_sum
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm
from refq.numerics.fixed_point import saturating_rounding_multiply_by_power_of_two as multiply_by_power_of_two
from refq.numerics.reciprocal import one_over_one_plus_x

_LOG_2 = 1488522236  # all in Q0.31
_FOURTH_ROOT_HALF = 1805811301
_ROOT_HALF = 1518500250
_QUARTER = 536870912
_ALPHA_N = 117049297  # 11/240 * 2**(1/4)
_ALPHA_D = 127690142  # 1/20 * 2**(1/4)
_ALPHA_I = 1057819769  # 2 / 2**(1/4) - 2**(1/4)
_ALPHA_F = 638450708  # 1/4 * 2**(1/4)


def log(x: Any, integer_bits: int, out_integer_bits: int) -> NDArray[np.int64]:
    """Natural logarithm of 32-bit fixed-point numbers.

        x = r * 2**k with r near 2**(-1/4);  log x = k log 2 + num(r) / (1 + den(r))

    Parameters
    ----------
    x : integer array of positive int32 values, real value x * 2**(integer_bits - 31)
    integer_bits : int in 0..31
    out_integer_bits : int in 1..30, integer bits of the result; it must hold the logarithm of the largest x

    Returns
    -------
    int64 array, real value y * 2**(out_integer_bits - 31)

    Raises
    ------
    RangeError    x is not positive, or out_integer_bits is too small

    Notes
    -----
    LiteRT `log_x_for_x_greater_than_or_equal_to_1`, which also serves 1/x down to the smallest positive x. One extra
    integer bit is kept until the end, since k log 2 alone may leave the output range.

    >>> int(log(1 << 26, 5, 5))
    0
    """
    x = np.asarray(x, np.int64)
    if np.any((x <= 0) | (x > INT32_MAX)):
        raise RangeError(f"x={x} must be a positive 32-bit integer to have a logarithm")
    least = least_log_integer_bits(integer_bits)
    if not least <= out_integer_bits <= 30:
        raise RangeError(
            f"out_integer_bits={out_integer_bits} is outside {least}..30; logarithms of numbers with {integer_bits} "
            f"integer bits need {least}"
        )
    kept = out_integer_bits + 1
    quarter = rescale_fixed_point(_QUARTER, 0, kept)
    headroom = leading_zeros(x) - 1
    r_a = multiply_by_power_of_two(srdhm(multiply_by_power_of_two(x, headroom), _ROOT_HALF), 1)
    k_a = multiply_by_power_of_two(integer_bits - headroom - 1, 31 - kept)
    k_a = np.clip(k_a + quarter, INT32_MIN, INT32_MAX)
    headroom_b = leading_zeros(srdhm(x, _ROOT_HALF)) - 1
    r_b = multiply_by_power_of_two(x, np.minimum(headroom_b, 31))
    k_b = multiply_by_power_of_two(integer_bits - headroom_b, 31 - kept)
    k_b = np.clip(k_b - quarter, INT32_MIN, INT32_MAX)
    r, k = np.minimum(r_a, r_b), np.maximum(k_a, k_b)

    p, q = rounding_half_sum(r, _FOURTH_ROOT_HALF), 2 * (r - _FOURTH_ROOT_HALF)
    square = srdhm(q, q)
    numerator = srdhm(q, r) + srdhm(srdhm(q, square), _ALPHA_N)
    denominator = srdhm(p, _ALPHA_I + q + srdhm(_ALPHA_D, square)) + srdhm(_ALPHA_F, q)
    fraction = srdhm(rescale_fixed_point(numerator, 0, kept), one_over_one_plus_x(denominator))
    return rescale_fixed_point(srdhm(k, _LOG_2) + fraction, kept, out_integer_bits)


def least_log_integer_bits(integer_bits: int) -> int:
    """Integer bits that the logarithm of numbers with `integer_bits` integer bits needs.

    Notes
    -----
    LiteRT `min_log_x_output_bits`.

    >>> [least_log_integer_bits(k) for k in (1, 4, 5, 12, 31)]
    [1, 2, 3, 4, 5]
    """
    return 1 + sum(integer_bits > limit for limit in (1, 4, 10, 21, 44, 90))
