"""Fixed-point exponential, as gemmlowp computes it: every product is a rounding doubling high multiply.

Numbers are raw integers: real = raw * 2**(integer_bits + 1 - bits), with `bits` 32 or 16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import limits, narrow_constant, rescale_fixed_point
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


def exp_between_minus_quarter_and_zero(a: Any, bits: int = 32) -> NDArray[np.int64]:
    """exp(a) for a in [-1/4, 0), both with 0 integer bits.

    With x = a + 1/8:  exp(a) = c + c * (x + (x**2 + (x**3 + x**4 / 4) / 3) / 2),  c = exp(-1/8)

    Notes
    -----
    gemmlowp `exp_on_interval_between_negative_one_quarter_and_0_excl`; the last sum saturates, which only 16 bits need.
    """
    c, third = narrow_constant(_EXP_MINUS_EIGHTH, bits), narrow_constant(_THIRD, bits)
    x = np.asarray(a, np.int64) + (1 << (bits - 4))
    x2 = srdhm(x, x, bits)
    x3, x4 = srdhm(x2, x, bits), srdhm(x2, x2, bits)
    tail = rdbypot(srdhm(rdbypot(x4, 2) + x3, third, bits) + x2, 1)
    return np.minimum(c + srdhm(c, x + tail, bits), limits(bits)[1])


def exp_on_negative_values(a: Any, integer_bits: int, bits: int = 32) -> NDArray[np.int64]:
    """exp(a) with 0 integer bits, for a <= 0.

    Parameters
    ----------
    a : integer array of `bits`-bit values <= 0
    integer_bits : int in 0..bits-3, integer bits of a
    bits : 32 or 16

    Raises
    ------
    RangeError    integer_bits out of its range

    Notes
    -----
    gemmlowp `exp_on_negative_values`: a is split into a part in [-1/4, 0) and multiples of 1/4, whose set bits multiply
    by exp(-1/4), exp(-1/2), ... exp(-16). With more than 5 integer bits, everything below -32 gives 0.

    >>> int(exp_on_negative_values(0, 5))
    2147483647
    >>> bool(abs(exp_on_negative_values(-(1 << 12), 3, bits=16) / 2**15 - np.exp(-1.0)) <= 2 / 2**15)
    True
    """
    fraction_bits = bits - 1 - integer_bits
    if integer_bits < 0 or fraction_bits < 2:
        raise RangeError(f"integer_bits={integer_bits} is outside 0..{bits - 3}")
    a = np.asarray(a, np.int64)
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    remainder = rest - a
    result = exp_between_minus_quarter_and_zero(rescale_fixed_point(rest, integer_bits, 0, bits), bits)
    for exponent, factor in _EXP_OF_POWERS.items():
        if integer_bits > exponent:
            has_bit = (remainder >> (fraction_bits + exponent)) & 1
            result = np.where(has_bit == 1, srdhm(result, narrow_constant(factor, bits), bits), result)
    if integer_bits > 5:
        result = np.where(a < -32 << fraction_bits, 0, result)
    return np.where(a == 0, limits(bits)[1], result)
