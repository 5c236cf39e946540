"""Square roots of integers: exact floor, and LiteRT's fixed-point reciprocal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.fixed_point import INT32_MAX, leading_zeros, rescale_fixed_point
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm

_LARGEST_ROOT = 3037000499  # floor(sqrt(2**63 - 1))
_HALF_ROOT_2 = 1518500250  # Q0.31
_THREE_HALVES = (1 << 28) + (1 << 27)  # Q3.28


def integer_square_root(x: Any) -> NDArray[np.int64]:
    """floor(sqrt(x)), exact for every int64.

    Parameters
    ----------
    x : integer array, 0 <= x < 2**63

    Raises
    ------
    RangeError    x is negative

    Notes
    -----
    With r the exact floor, the float64 root of x lies in [r, r + 1]: conversion and root are monotonic, and that of
    r**2 is r, since conversion moves it by less than half a float64 step at r. One comparison corrects it.

    >>> integer_square_root([0, 15, 16, 2**63 - 1]).tolist()
    [0, 3, 4, 3037000499]
    """
    x = np.asarray(x, np.int64)
    if np.any(x < 0):
        raise RangeError(f"x={int(x.min())} is negative and has no square root")
    root = np.minimum(np.sqrt(x.astype(np.float64)).astype(np.int64), _LARGEST_ROOT)
    return root - (root * root > x)


def inverse_square_root_multiplier(x: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """1 / sqrt(x) as (m, n): 1 / sqrt(x) = m * 2**(-31 - n).

        x <- x * 4**j in [2**27, 2**29);  five times  v <- v * (3 - x v**2) / 2  in Q3.28 from v = 1

    Parameters
    ----------
    x : integer array, 0 <= x < 2**31

    Returns
    -------
    m : int64 array, up to 2**31 - 1
    n : int64 array >= 0, the shift to the right

    Raises
    ------
    RangeError    x is out of its range

    Notes
    -----
    LiteRT `GetInvSqrtQuantizedMultiplierExp` with reverse_shift = 1. 0 counts as 1, whose root is 2**31 - 1.

    >>> [int(v) for v in inverse_square_root_multiplier(4)]
    [1073741828, 0]
    """
    given = np.asarray(x, np.int64)
    if np.any((given < 0) | (given > INT32_MAX)):
        raise RangeError(f"x={given} must be an integer in 0..{INT32_MAX}")
    large = given >= 1 << 29
    x = np.where(large, given >> 2, np.maximum(given, 2))
    pairs = (leading_zeros(x) - 1) // 2 - 1
    shift = 11 + large - pairs
    x = (x << (2 * pairs)) >> 1
    half_x = rescale_fixed_point(x, 0, 1)
    v = np.full_like(x, 1 << 28)
    for _ in range(5):
        cube = rescale_fixed_point(srdhm(srdhm(v, v), v), 9, 3)
        v = rescale_fixed_point(srdhm(_THREE_HALVES, v) - srdhm(half_x, cube), 6, 3)
    m = srdhm(v, _HALF_ROOT_2) << np.maximum(-shift, 0)
    return np.where(given <= 1, INT32_MAX, m), np.where(given <= 1, 0, np.maximum(shift, 0))
