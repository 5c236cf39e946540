"""Rounding of float32 tensors to one uniform grid and the gradients beside it, by kernels where tensors are large."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.kernels.cpu import has_instructions, route

Array = NDArray[Any]
_LARGE = 1 << 12
"""Elements from which a kernel is worth its call."""
_LANES = 256


def kernels_take(x: Array, grid: QParams) -> bool:
    """Whether the kernels compute on x: float32, many elements, one scale, codes that float32 holds."""
    is_plain = grid.scale.ndim == 0 and grid.bits <= 16 and not grid.is_binary
    return is_plain and x.dtype == np.float32 and x.size >= _LARGE and has_instructions() and route() != "numpy"


def round_to_grid(x: Array, grid: QParams) -> Array:
    """The nearest reals on the grid, ties to even: the bits of dequantize(quantize(x))."""
    from refq.kernels import float_grids

    y = np.empty(x.shape, np.float32)
    codes = (np.float32(number) for number in (grid.zero_point, grid.qmin, grid.qmax))
    float_grids.round_to_grid(np.ravel(x), np.float32(grid.scale), *codes, y.reshape(-1))
    return y


def pass_on_grid(dy: Array, x: Array, grid: QParams) -> Array:
    """dy where the grid does not clip x, to half a step beyond its ends, else 0."""
    low, high = ends(grid, x)
    if not kernels_take(x, grid):
        steps = x / grid.along(grid.scale, x.ndim).astype(x.dtype)
        return dy * ((steps >= low - x.dtype.type(0.5)) & (steps <= high + x.dtype.type(0.5)))
    from refq.kernels import float_grids

    dx, half = np.empty(x.shape, np.float32), np.float32(0.5)
    slopes = np.ravel(dy.astype(np.float32, copy=False))
    float_grids.pass_on_grid(slopes, np.ravel(x), np.float32(grid.scale), low - half, high + half, dx.reshape(-1))
    return dx


def step_slopes(dy: Array, x: Array, y: Array, grid: QParams, shared: tuple[int, ...]) -> tuple[Array, Array]:
    """dy inside the grid, and the gradient of its scale, summed over the axes `shared`.

    dscale = sum dy * (y / scale - x / scale inside, y / scale outside),   y = round_to_grid(x)
    """
    low, high = ends(grid, x)
    if not kernels_take(x, grid):
        scale = grid.along(grid.scale, x.ndim).astype(x.dtype)
        steps = x / scale
        inside = (steps > low) & (steps < high)
        return dy * inside, (dy * (y / scale - np.where(inside, steps, 0))).sum(axis=shared)
    from refq.kernels import float_grids

    lanes = gcd(x.size, _LANES)
    dx, total = np.empty(x.shape, np.float32), np.zeros(lanes, np.float32)
    rows = (np.ravel(part.astype(np.float32, copy=False)).reshape(-1, lanes) for part in (dy, x, y))
    float_grids.add_step_slopes(*rows, np.float32(grid.scale), low, high, dx.reshape(-1, lanes), total)
    return dx, total.sum()


def ends(grid: QParams, x: Array) -> tuple[Array, Array]:
    """qmin - zero_point and qmax - zero_point in the type of x, broadcastable against it."""
    zero = grid.along(grid.zero_point, x.ndim).astype(x.dtype)
    return x.dtype.type(grid.qmin) - zero, x.dtype.type(grid.qmax) - zero
