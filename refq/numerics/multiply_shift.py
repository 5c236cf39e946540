"""Multiply by an integer and divide by a power of two with one rounding, exact although the product passes 64 bits.

    y = round(acc * m / 2**right)

The product is held in two limbs, P = high * 2**31 + low with 0 <= low < 2**31.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.rounding import shift_right

_LIMB = 31
_MASK = (1 << _LIMB) - 1
_WIDEST = 1 << 61


def multiply_shift(
    acc: NDArray[np.int64], m: Any, right: Any, mode: Literal["half_up", "half_even"] = "half_up"
) -> NDArray[np.int64]:
    """acc * m / 2**right, rounded once: ties towards +inf (half_up) or to even.

    Parameters
    ----------
    acc : int64 array, |acc| < 2**61
    m : integer array in 0..2**31
    right : integer array >= 0

    Raises
    ------
    RangeError    an accumulator, or a result, is too large for 64 bits; right is negative

    >>> multiply_shift(np.array([-(2**40) - 1, -3, -1, 1, 3]), 1 << 30, 31).tolist()
    [-549755813888, -1, 0, 1, 2]
    """
    m, right = np.asarray(m, np.int64), np.asarray(right, np.int64)
    if np.any(right < 0):
        raise RangeError(f"shift to the right of {int(right.min())} places: the factor is beyond 2**31")
    if _largest(acc) * _largest(m) < 1 << 62:  # with half a step, still below 2**63; past 62 places nothing is left
        places = np.minimum(right, 62)
        if mode == "half_up":
            return np.where(right > 62, 0, (acc * m + ((np.int64(1) << places) >> 1)) >> places)
        return np.where(right > 62, 0, shift_right(acc * m, places, mode))
    high, low = _product(acc, m)
    inside, beyond = np.minimum(right, _LIMB), np.clip(right - _LIMB, 0, 62)
    left = _LIMB - inside
    if np.any(np.abs(high) >= np.int64(1) << (62 - left)):
        raise RangeError(f"an accumulator of {_largest(acc)} times its factor does not fit 64 bits")
    floor = (high << left) + (low >> inside) >> beyond
    above, tie = _fraction(high, low, inside, beyond)
    up = above | tie if mode == "half_up" else above | (tie & (floor & 1 == 1))
    return floor + up


def is_tie(acc: NDArray[np.int64], m: Any, right: Any) -> NDArray[np.bool_]:
    """Where acc * m / 2**right lies exactly half way between two integers; parameters as in `multiply_shift`."""
    m, right = np.asarray(m, np.int64), np.asarray(right, np.int64)
    high, low = _product(acc, m)
    return _fraction(high, low, np.minimum(right, _LIMB), np.clip(right - _LIMB, 0, 62))[1]


def _largest(acc: NDArray[np.int64]) -> int:
    return max(-int(acc.min()), int(acc.max())) if acc.size else 0


def _product(acc: NDArray[np.int64], m: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if _largest(acc) >= _WIDEST:
        raise RangeError(f"an accumulator of {_largest(acc)} in magnitude is not below 2**61")
    low = (acc & _MASK) * m  # below 2**62
    return (acc >> _LIMB) * m + (low >> _LIMB), low & _MASK


def _fraction(
    high: NDArray[np.int64], low: NDArray[np.int64], inside: NDArray[np.int64], beyond: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the bits shifted out are more than half a step, and whether they are half a step."""
    rest_low = low & ((np.int64(1) << inside) - 1)
    rest_high = np.where(beyond > 0, high & ((np.int64(1) << beyond) - 1), 0)
    half_low = np.where(beyond > 0, 0, (np.int64(1) << inside) >> 1)
    half_high = np.where(beyond > 0, (np.int64(1) << beyond) >> 1, 0)
    tie = (rest_high == half_high) & (rest_low == half_low) & (inside > 0)
    return (rest_high > half_high) | ((rest_high == half_high) & (rest_low > half_low)), tie
