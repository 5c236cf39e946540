"""Integer square root and layer normalization: Kim et al. 2021, I-BERT, section 3.6 and algorithm 4."""

from __future__ import annotations

from math import floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError

Integers = NDArray[np.int64]
NORM_BITS = 30


def i_sqrt(n: Any) -> Integers:
    """floor(sqrt(n)), by Newton's iteration on integers.

        x = 2**ceil(bits(n) / 2);  repeat  x' = floor((x + floor(n / x)) / 2)  until  x' >= x

    Parameters
    ----------
    n : integer array, 0 <= n < 2**62

    Notes
    -----
    Kim et al. 2021, algorithm 4. The start is never below the root, from where the iteration falls until it is exact.

    >>> i_sqrt([0, 1, 15, 16, 2**62 - 1]).tolist()
    [0, 1, 3, 4, 2147483647]
    """
    n = np.asarray(n, np.int64)
    if np.any((n < 0) | (n >= 1 << 62)):
        raise RangeError(f"i_sqrt: n={int(n.min())}..{int(n.max())} leaves 0..2**62 - 1")
    bits = np.zeros_like(n)
    for place in (32, 16, 8, 4, 2, 1):
        bits += np.where(n >> (bits + place - 1) > 0, place, 0)
    x = np.int64(1) << ((bits + 1) // 2)
    while True:
        y = (x + n // np.maximum(x, 1)) >> 1
        if np.all(y >= x):
            return x
        x = np.minimum(x, y)


def i_layernorm(q: Any, scale: float, *, shift: int = 0, epsilon: float = 0.0) -> tuple[Integers, float]:
    """(x - mean) / sqrt(variance + epsilon) along the last axis.

        d = q - half_even(sum q / n);  v = sum floor(d / 2**shift)**2 + floor(n * epsilon / (s * 2**shift)**2)
        y = floor(d * floor(2**31 / max(floor(sqrt v), 1)) / 2**(shift + 1))

    Parameters
    ----------
    q : integer array (..., n), at most 33 bits wide
    scale : float > 0, of q
    shift : int >= 0    so that v < 2**32; `variance_shift` gives it for a format
    epsilon : float >= 0

    Returns
    -------
    y : int64 array, |y| <= 2**31; a constant row gives 0
    scale : sqrt(n) / 2**30

    Raises
    ------
    RangeError    v does not fit 32 bits

    Notes
    -----
    The published code raises `shift` as data overflow, so that its result depends on earlier data; takes no epsilon, so
    that a constant row divides by zero; and divides 2**31 by root * 2**shift, which leaves the quotient few bits when
    shift is large. Here the quotient is by the root alone and the shift follows it.
    """
    q = np.asarray(q, np.int64)
    size = q.shape[-1]
    d = q - _divide_half_even(q.sum(axis=-1, keepdims=True), size)
    v = np.square(d >> shift).sum(axis=-1, keepdims=True) + floor(size * epsilon / (scale * 2.0**shift) ** 2)
    if v.size and int(v.max()) >= 1 << 32:
        raise RangeError(f"i_layernorm: sum of squares {int(v.max())} does not fit 32 bits; raise shift={shift}")
    factor = (1 << 31) // np.maximum(i_sqrt(v), 1)
    return (d * factor) >> (shift + 1), sqrt(size) / (1 << NORM_BITS)


def variance_shift(bits: int, size: int, scale: float, epsilon: float = 0.0) -> int:
    """The smallest shift at which no row of `bits`-bit codes overflows `i_layernorm`; negative where bits are free.

    Notes
    -----
    sum d**2 <= n * (2**bits / 2)**2, reached when half the row lies at each end (Popoviciu), plus epsilon. Half of the
    32-bit register is kept for what rounding the mean and flooring the shift add.
    """
    worst = size * ((1 << bits) / 2) ** 2 + size * epsilon / scale**2
    shift = 0
    while worst / 4.0**shift >= 1 << 31:
        shift += 1
    while worst / 4.0 ** (shift - 1) < 1 << 31:
        shift -= 1
    return shift


def _divide_half_even(total: Integers, size: int) -> Integers:
    low = total // size
    rest = 2 * (total - low * size)
    return low + ((rest > size) | ((rest == size) & (low & 1 == 1)))
