"""Fixed-point logistic function and hyperbolic tangent, as gemmlowp computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.exponential import exp_on_negative_values
from refq.numerics.fixed_point import limits
from refq.numerics.reciprocal import one_minus_x_over_one_plus_x, one_over_one_plus_x


def logistic(a: Any, integer_bits: int, bits: int = 32) -> NDArray[np.int64]:
    """1 / (1 + exp(-a)) with 0 integer bits.

        y = 1 / (1 + exp(-|a|)) for a > 0,  1 - that for a < 0,  exactly 1/2 for a = 0

    Parameters
    ----------
    a : integer array of `bits`-bit values, real value a * 2**(integer_bits + 1 - bits)
    integer_bits : int in 0..bits-3
    bits : 32 or 16

    Notes
    -----
    gemmlowp `logistic`. The 1 of the second case is the largest raw integer.

    >>> logistic([-(1 << 15), 0, (1 << 15) - 1], 3, bits=16).tolist()
    [11, 16384, 32756]
    """
    a = np.asarray(a, np.int64)
    largest = limits(bits)[1]
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(a), integer_bits, bits), bits)
    return np.where(a == 0, 1 << (bits - 2), np.where(a > 0, positive, largest - positive))


def tanh(a: Any, integer_bits: int, bits: int = 32) -> NDArray[np.int64]:
    """tanh(a) = sign(a) * (1 - e) / (1 + e) with e = exp(-2 |a|), 0 integer bits; parameters as in `logistic`.

    Parameters
    ----------
    integer_bits : int in 0..bits-4, since 2 |a| takes one more

    Notes
    -----
    gemmlowp `tanh`: 2 |a| is the raw integer of |a| read with one more integer bit.

    >>> tanh([-(1 << 15), 0, (1 << 15) - 1], 3, bits=16).tolist()
    [-32767, 0, 32767]
    """
    a = np.asarray(a, np.int64)
    positive = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(a), integer_bits + 1, bits), bits)
    return np.sign(a) * positive
