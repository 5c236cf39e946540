"""Applying a grid: reals to codes and back. The only place that does it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode, round_real


def quantize_array(x: NDArray[Any], grid: QParams, rounding: RoundingMode = "half_even") -> NDArray[Any]:
    """Reals to codes.

        code = clip(round(x / scale) + zero_point, qmin, qmax);  -1 or +1 by the sign of x, +1 for 0, on a binary grid

    Parameters
    ----------
    x : float array; NaN becomes the zero point, infinities the outermost codes
    grid : QParams; a per-channel scale runs along grid.axis
    rounding : RoundingMode

    Returns
    -------
    integer array of grid.dtype

    Notes
    -----
    Division, not multiplication by 1/scale; rounding before the zero point is added, clipping in floating point before
    the cast (ONNX QuantizeLinear). The quotient is float32, or float64 for a float64 `x`, and always float64 for codes
    beyond 16 bits, which float32 cannot hold.
    """
    if grid.is_binary:
        return np.where(x < 0, -1, 1).astype(grid.dtype)
    wide = np.float64 if x.dtype == np.float64 or grid.bits > 16 else np.float32
    scale = grid.along(grid.scale, x.ndim).astype(wide)
    zero = grid.along(grid.zero_point, x.ndim).astype(wide)
    with np.errstate(over="ignore"):
        steps = round_real(np.nan_to_num(x.astype(wide, copy=False), posinf=np.inf, neginf=-np.inf) / scale, rounding)
    return np.clip(steps + zero, grid.qmin, grid.qmax).astype(grid.dtype)


def dequantize_array(codes: NDArray[Any], grid: QParams, dtype: Any = np.float32) -> NDArray[Any]:
    """Codes to reals.

        x = scale * (code - zero_point)

    Parameters
    ----------
    codes : integer array
    grid : QParams
    dtype : floating type of the result

    Notes
    -----
    The difference is formed in int64, so no code wraps. It is exact in float32 up to 24 bits; wider codes (int32
    biases) are multiplied in float64 first.
    """
    steps = codes.astype(np.int64) - grid.along(grid.zero_point, codes.ndim)
    wide = np.float64 if grid.bits > 16 else dtype
    return (steps.astype(wide) * grid.along(grid.scale, codes.ndim).astype(wide)).astype(dtype)


def fake_quantize(x: NDArray[Any], grid: QParams, rounding: RoundingMode = "half_even") -> NDArray[Any]:
    """The nearest reals on the grid: dequantize(quantize(x)), in the floating type of `x`."""
    return dequantize_array(quantize_array(x, grid, rounding), grid, x.dtype)
