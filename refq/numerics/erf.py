"""The error function for arrays, without SciPy."""

from __future__ import annotations

from math import erf as _scalar_erf
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 1 << 12
_LIMIT = 6.0
_GRID = np.linspace(-_LIMIT, _LIMIT, 2 * _STEPS + 1)
_VALUES = np.array([_scalar_erf(float(v)) for v in _GRID])


def erf(x: NDArray[Any]) -> NDArray[Any]:
    """erf(x) = 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x, to 1e-14, in the type of `x`.

    Notes
    -----
    A Taylor expansion of fourth order around the nearest of 8193 exact values in [-6, 6]: its remainder is below
    h**5 / 5! * max |erf^(5)| < 1e-15 with h = 6 / 8192. Beyond 6, erf is 1 to 2e-17.
    """
    wide = np.clip(x.astype(np.float64), -_LIMIT, _LIMIT)
    place = np.rint((wide + _LIMIT) * (_STEPS / _LIMIT)).astype(np.int64)
    a = _GRID[place]
    h = wide - a
    slope = 2 / np.sqrt(np.pi) * np.exp(-a * a)
    bend = h * (1 - h * (a - h * ((2 * a * a - 1) / 3 - h * (2 * a**3 - 3 * a) / 6)))
    return (_VALUES[place] + slope * bend).astype(x.dtype)
