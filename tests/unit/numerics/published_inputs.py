"""The inputs of gemmlowp's fixed-point test: powers of two +-2, the limits, 1000 random integers.

For 16 bits every integer there is, where the published test samples: the published tolerances then need one step more
(39 of 8192 arguments of exp on [-1/4, 0), a few of the logistic function).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _values32() -> np.ndarray:
    near = [sign * 2**k + d for sign in (1, -1) for k in range(31) for d in range(-2, 3)]
    ends = [*range(-(2**31), -(2**31) + 3), *range(2**31 - 3, 2**31)]
    return np.array(sorted({*near, *ends, *np.random.default_rng(1).integers(-(2**31), 2**31, 1000).tolist()}))


EXHAUSTIVE_SLACK = {32: 0, 16: 1}
VALUES = {32: _values32(), 16: np.arange(-32768, 32768)}


def real(a: Any, integer_bits: int, bits: int) -> np.ndarray:
    """The real number a raw fixed-point integer stands for."""
    return np.asarray(a) * 2.0 ** (integer_bits + 1 - bits)
