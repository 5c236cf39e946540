"""Applying a fitted grid: reals to codes and back. The only place that does it for uniform grids."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode, counter_generator, round_real
from refq.quantizers.blocks import count_blocks, spread
from refq.quantizers.float_passes import kernels_take, round_to_grid


class FittedLevels(Protocol):
    """Levels that a grid which is not uniform found for data: `Levels`, `Bases`, codebooks."""

    @property
    def bits(self) -> int:
        """Width of a code."""
        ...

    def quantize(self, x: Any) -> NDArray[Any]:
        """Reals to codes."""
        ...

    def dequantize(self, codes: Any) -> NDArray[np.float32]:
        """Codes to reals."""
        ...


Fitted = QParams | FittedLevels


def quantize_array(
    x: NDArray[Any],
    grid: Fitted,
    rounding: RoundingMode = "half_even",
    rng: np.random.Generator | int | None = None,
    start: int = 0,
) -> NDArray[Any]:
    """Reals to codes.

        code = clip(round(x / scale) + zero_point, qmin, qmax);  -1 or +1 by the sign of x, +1 for 0, on a binary grid

    Parameters
    ----------
    x : float array; NaN becomes the zero point, infinities the outermost codes
    grid : QParams; a per-channel scale runs along grid.axis, scales of blocks as grid.block says. Any other fitted grid
        maps to its own codes and takes no rounding
    rounding : RoundingMode
    rng : of rounding "stochastic": a generator, which gives one draw an element in C order, or a seed, with which the
        draw of an element depends on its index alone
    start : index of the first element of `x` in the whole array, where a seed rounds it in pieces

    Returns
    -------
    integer array of grid.dtype

    Notes
    -----
    Gholami et al. 2021, eq. (2), and eq. (8) for stochastic rounding. Division, not multiplication by 1/scale; rounding
    before the zero point is added, clipping in floating point before the cast (ONNX QuantizeLinear). torch multiplies
    by 1 / scale, so that its codes may differ where the quotient lies next to a tie, and its quantized tensors (not its
    fake quantization) round after the zero point was added: with an odd one ties go to odd steps. The quotient is
    float32, or float64 for a float64 `x`, and always float64 for codes beyond 16 bits, which float32 cannot hold.
    """
    if not isinstance(grid, QParams):
        return grid.quantize(x)
    if grid.is_binary:
        return (1 - 2 * (x < 0).view(np.int8)).astype(grid.dtype, copy=False)
    wide = np.float64 if x.dtype == np.float64 or grid.bits > 16 else np.float32
    scale = _along(grid, grid.scale, x.shape).astype(wide)
    zero = _along(grid, grid.zero_point, x.shape).astype(wide)
    draws = counter_generator(rng, start) if isinstance(rng, int) else rng
    with np.errstate(over="ignore"):
        real = np.nan_to_num(x.astype(wide, copy=False), posinf=np.inf, neginf=-np.inf)
        steps = round_real(real / scale, rounding, draws)
    return np.clip(steps + zero, grid.qmin, grid.qmax).astype(grid.dtype)


def dequantize_array(codes: NDArray[Any], grid: Fitted, dtype: Any = np.float32) -> NDArray[Any]:
    """Codes to reals.

        x = scale * (code - zero_point)

    Parameters
    ----------
    codes : integer array
    grid : QParams, or any other fitted grid, which reads its levels
    dtype : floating type of the result

    Notes
    -----
    The difference is formed in int64, so no code wraps. It is exact in float32 up to 24 bits; wider codes (int32
    biases) are multiplied in float64 first.
    """
    if not isinstance(grid, QParams):
        return grid.dequantize(codes).astype(dtype)
    steps = codes.astype(np.int64) - _along(grid, grid.zero_point, codes.shape)
    wide = np.float64 if grid.bits > 16 else dtype
    return (steps.astype(wide) * _along(grid, grid.scale, codes.shape).astype(wide)).astype(dtype)


def fake_quantize(
    x: NDArray[Any], grid: Fitted, rounding: RoundingMode = "half_even", rng: np.random.Generator | int | None = None
) -> NDArray[Any]:
    """The nearest reals on the grid: dequantize(quantize(x)), in the floating type of `x`."""
    if isinstance(grid, QParams) and grid.is_binary:
        return (x.dtype.type(1) - x.dtype.type(2) * (x < 0)) * _along(grid, grid.scale, x.shape).astype(x.dtype)
    if isinstance(grid, QParams) and rounding == "half_even" and kernels_take(x, grid):
        return round_to_grid(x, grid)
    return dequantize_array(quantize_array(x, grid, rounding, rng), grid, x.dtype)


def _along(grid: QParams, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Scale or zero point, broadcastable against a tensor of `shape`."""
    if grid.block is None:
        return grid.along(values, len(shape))
    if len(grid.block) != len(shape) or count_blocks(shape, grid.block) != values.shape:
        raise ShapeError(f"a tensor of shape {shape} does not have {values.shape} blocks of {grid.block} as its grid")
    return spread(values, grid.block, shape)
