"""Lookup tables: one entry a code, or 513 entries with linear interpolation for 16-bit codes.

Tables are made from reals before the run; reading them takes integers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import QParams
from refq.numerics.rounding import round_real

Function = Callable[[NDArray[Any]], NDArray[Any]]
_SEGMENTS = 512


def code_table(function: Function, grid: QParams, out: QParams) -> NDArray[np.int64]:
    """One output code for every input code, lowest first.

        T[q] = clamp(half_away(f(s_x * (q - z_x)) * (1 / s_y)) + z_y), all in float32

    Parameters
    ----------
    function : float32 array -> float32 array
    grid, out : per-tensor grids of input and output

    Notes
    -----
    LiteRT `LUTPopulate` for int8 and uint8.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        steps = function(reals_of_codes(grid)) * (np.float32(1) / out.scale)
        return np.clip(round_real(steps, "half_away") + out.zero_point, out.qmin, out.qmax).astype(np.int64)


def reals_of_codes(grid: QParams) -> NDArray[np.float32]:
    """The real of every code, lowest first: float32(q - z) * s."""
    return (np.arange(grid.qmin, grid.qmax + 1) - grid.zero_point).astype(np.float32) * grid.scale


def interpolation_table(function: Function, scale: Any, zero_point: int, out_scale: Any) -> NDArray[np.int64]:
    """513 samples of a function over the int16 codes, in int16 steps of `out_scale`, for `interpolate`.

        sample f(x_i), lowered by half the error that interpolation makes in the middle of the segment i .. i + 1

    Parameters
    ----------
    function : array -> array, of the type of `scale`
    scale, zero_point : input grid; codes -32768 .. 32767 stand for scale * (q - zero_point)
    out_scale : output steps, zero point 0; same type as `scale`

    Notes
    -----
    LiteRT `LUTPopulateInt16`, every operation in the type of `scale`: float32 for EXP, LOG, RSQRT and GELU, float64 for
    the two tables of SOFTMAX. Where a sample and its neighbour are both infinite their difference is NaN, which becomes
    0, as in the C++ cast.
    """
    scale = np.asarray(scale)
    kind = scale.dtype.type
    low, high = scale * kind(-32768 - zero_point), scale * kind(32767 - zero_point)
    step = (high - low) / kind(_SEGMENTS)
    per_unit = kind(65536) / (out_scale * kind(32767) - out_scale * kind(-32768))
    x = low + np.arange(_SEGMENTS + 1).astype(scale.dtype) * step
    with np.errstate(over="ignore", invalid="ignore"):
        exact = function(x) * per_unit
        middle = round_real(function(x[:-1] + step / kind(2)) * per_unit, "half_away")
        samples = round_real(exact, "half_away")
        between = round_real((exact[1:] + samples[:-1]) / kind(2), "half_away")
        samples[:-1] -= round_real((between - middle) / kind(2), "half_away")
        samples[-1] = round_real(function(np.atleast_1d(high)) * per_unit, "half_away")[0]
    return np.clip(np.where(np.isnan(samples), 0, samples), -32768, 32767).astype(np.int64)


def interpolate(table: NDArray[np.int64], v: Any) -> NDArray[np.int64]:
    """The table at int16 codes: base + (slope * rest + 64) >> 7, 128 codes a segment.

    Notes
    -----
    LiteRT `LUTLookup`: the slope and the result are int16 and wrap, which functions that fall or rise by more than half
    the output range within one segment meet.
    """
    v = np.asarray(v, np.int64)
    index, rest = 256 + (v >> 7), v & 127
    base = table[index]
    slope = wrap_int16(table[index + 1] - base)
    return wrap_int16(base + ((slope * rest + 64) >> 7))


def wrap_int16(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """The low 16 bits in two's complement."""
    return ((x + 32768) & 0xFFFF) - 32768
