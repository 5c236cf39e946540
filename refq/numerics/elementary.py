"""Elementary functions that round once: computed in float64, returned in the type of the argument.

NumPy's own float32 functions differ in the last bit between processors, and tables of codes are made from float32: with
these, a table is the same on every machine, and equals LiteRT's wherever the C library beneath that returns the nearest
float32 as well. (glibc 2.36: expf and logf nearly always, sqrtf always; expm1f, tanhf and erfcf in 80 to 95 of 100
arguments. The last bit decides a code at 16 bits only, once in some hundred tables.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.erf import erf

Array = NDArray[Any]


def exp(x: Array) -> Array:
    """e**x; infinity where it leaves the type."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x, dtype=np.float64).astype(x.dtype)


def expm1(x: Array) -> Array:
    """e**x - 1; infinity where it leaves the type."""
    with np.errstate(over="ignore", under="ignore"):
        return np.expm1(x, dtype=np.float64).astype(x.dtype)


def log(x: Array) -> Array:
    """Natural logarithm; -infinity at 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x, dtype=np.float64).astype(x.dtype)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(x, dtype=np.float64).astype(x.dtype)


def sin(x: Array) -> Array:
    """Sine."""
    return np.sin(x, dtype=np.float64).astype(x.dtype)


def cos(x: Array) -> Array:
    """Cosine."""
    return np.cos(x, dtype=np.float64).astype(x.dtype)


def erfc(x: Array) -> Array:
    """1 - erf(x), to 1e-14."""
    return (1 - erf(x.astype(np.float64))).astype(x.dtype)
