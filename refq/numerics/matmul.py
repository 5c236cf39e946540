"""Exact integer sums of products through floating-point BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import AccumulatorOverflowError

WORTH_A_KERNEL = 1 << 27
"""Multiplications above which a compiled kernel is loaded: milliseconds of floating-point BLAS."""


def exact_type(bound: int) -> np.dtype[Any]:
    """Narrowest type in which sums of products stay exact when no partial sum exceeds `bound` in magnitude.

    Parameters
    ----------
    bound : int    an upper bound of sum |a_k * b_k| over the terms of any one output

    Returns
    -------
    float32 below 2**24, float64 below 2**53, else int64

    Raises
    ------
    AccumulatorOverflowError    sums that int64 cannot hold

    Notes
    -----
    Adding integers in floating point is exact, in any order, while every partial sum is representable; every partial
    sum is at most the sum of magnitudes. The float types reach BLAS speed, int64 does not.

    >>> exact_type(127 * 127 * 1040).name, exact_type(127 * 127 * 1041).name
    ('float32', 'float64')
    """
    if bound < 1 << 24:
        return np.dtype(np.float32)
    if bound < 1 << 53:
        return np.dtype(np.float64)
    if bound >= 1 << 63:
        raise AccumulatorOverflowError(f"sums of products up to {bound} do not fit int64; use narrower codes")
    return np.dtype(np.int64)


def magnitude(a: NDArray[Any]) -> int:
    """Largest absolute value of an integer array, as a Python int; 0 if it is empty."""
    return max(-int(a.min()), int(a.max())) if a.size else 0


def exact_matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """Integer product a @ b, exact to the last bit.

    Parameters
    ----------
    a : integer array (..., M, K)
    b : integer array (..., K, N)

    Returns
    -------
    int64 array (..., M, N)

    Notes
    -----
    Floating-point BLAS is the rule. A large product of narrow matrices whose sums fit int32 is left to the kernels that
    REFQ_KERNELS chooses (`refq.kernels`), which give the same integers.

    >>> exact_matmul(np.array([[127, -128]], np.int8), np.array([[127], [-128]], np.int8)).tolist()
    [[32513]]
    """
    largest_column = int(np.abs(b.astype(np.int64)).sum(axis=-2).max()) if b.size else 0
    bound = magnitude(a) * largest_column
    if a.ndim == b.ndim == 2 and bound < 1 << 31 and a.size * b.shape[1] >= WORTH_A_KERNEL:
        from refq.kernels.matmul import narrow_matmul

        narrow = narrow_matmul(a, b)
        if narrow is not None:
            return narrow.astype(np.int64)
    dtype = exact_type(bound)
    return (a.astype(dtype) @ b.astype(dtype)).astype(np.int64)
