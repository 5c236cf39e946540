"""C = A B through floating-point BLAS: the specification, in NumPy alone.

Partial products over as many k as keep every partial sum below 2**24 are exact in float32, whatever the order of
their additions; the parts are added as integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT = 1 << 24
"""Below it float32 holds every integer."""


def terms_below(a: np.dtype[Any], b: np.dtype[Any]) -> int:
    """How many products of two integer types float32 adds exactly: 1024 of int8 by int8, 514 of uint8 by int8."""
    largest = [max(-int(np.iinfo(t).min), int(np.iinfo(t).max)) for t in (a, b)]
    return EXACT // (largest[0] * largest[1])


def product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int32]:
    """The int32 product, modulo 2**32, of integer matrices (m, k) and (k, n).

    >>> product(np.array([[-128, -128]], np.int8), np.array([[-128], [-128]], np.int8)).tolist()
    [[32768]]
    """
    step = terms_below(a.dtype, b.dtype)
    c = np.zeros((a.shape[0], b.shape[1]), np.int64)
    for k in range(0, a.shape[1], step):
        c += (a[:, k : k + step].astype(np.float32) @ b[k : k + step].astype(np.float32)).astype(np.int64)
    return c.astype(np.int32)
