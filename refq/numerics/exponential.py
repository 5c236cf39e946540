"""Fixed-point exp and 1/(1+x), as gemmlowp computes them: every product is a rounding doubling high multiply.

Numbers are raw integers of a Qm.n format with m + n = 31: real = raw / 2**n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.fixed_point import INT32_MAX, INT32_MIN
from refq.numerics.fixed_point import rounding_divide_by_power_of_two as rdbypot
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm

_EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
_THIRD = 715827883  # 1/3 in Q0.31
_EXP_OF_POWERS = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
"""exp(-2**k) in Q0.31."""


def exp_between_minus_quarter_and_zero(a: Any) -> NDArray[np.int64]:
    """exp(a) in Q0.31 for a in [-1/4, 0), Q0.31.

    With x = a + 1/8:  exp(a) = c + c * (x + (x**2 + (x**3 + x**4 / 4) / 3) / 2),  c = exp(-1/8)
    """
    x = np.asarray(a, np.int64) + (1 << 28)
    x2 = srdhm(x, x)
    x3, x4 = srdhm(x2, x), srdhm(x2, x2)
    tail = rdbypot(srdhm(rdbypot(x4, 2) + x3, _THIRD) + x2, 1)
    return np.minimum(_EXP_MINUS_EIGHTH + srdhm(_EXP_MINUS_EIGHTH, x + tail), INT32_MAX)


def exp_on_negative_values(a: Any, integer_bits: int) -> NDArray[np.int64]:
    """exp(a) in Q0.31 for a <= 0.

    Parameters
    ----------
    a : integer array of int32 values <= 0, in Q(integer_bits).(31 - integer_bits)
    integer_bits : int in 0..5

    Notes
    -----
    gemmlowp `exp_on_negative_values`: a is split into a part in [-1/4, 0) and multiples of 1/4, whose set bits multiply
    by exp(-1/4), exp(-1/2), ... exp(-16).

    >>> int(exp_on_negative_values(0, 5))
    2147483647
    """
    a = np.asarray(a, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    remainder = rest - a
    result = exp_between_minus_quarter_and_zero(np.maximum(rest << integer_bits, INT32_MIN))
    for exponent, factor in _EXP_OF_POWERS.items():
        if integer_bits > exponent:
            has_bit = (remainder >> (fraction_bits + exponent)) & 1
            result = np.where(has_bit == 1, srdhm(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def one_over_one_plus_x(a: Any) -> NDArray[np.int64]:
    """1 / (1 + a) in Q0.31 for a in [0, 1), Q0.31.

    Notes
    -----
    gemmlowp `one_over_one_plus_x_for_x_in_0_1`: three Newton-Raphson steps x += x * (1 - h * x) on h = (1 + a) / 2 in
    Q2.29, from x = 48/17 - 32/17 * h; the result 1 / (2h) is x / 2.
    """
    a = np.asarray(a, np.int64)
    total = a + INT32_MAX
    half = (total + np.where(total >= 0, 1, -1)) // 2
    x = 1515870810 + srdhm(half, -1010580540)
    for _ in range(3):
        correction = srdhm(x, (1 << 29) - srdhm(half, x))
        x = x + np.clip(correction << 2, INT32_MIN, INT32_MAX)
    return np.clip(x << 1, INT32_MIN, INT32_MAX)
