"""XNNPACK's kernels for 8-bit codes, as integer rules: what the default delegate of LiteRT computes in its own way.

    sums of products    y_q = rint(float32(acc) * M) + z_y,  M = f32(f32(s_x * s_w) / s_y)    (`Layer.integer`)
    sum, difference     y_q = ((a_q - z_a) * m_a +- (b_q - z_b) * m_b + 2**(n - 1) >> n) + z_y,
                        m = rint(s / s_y * 2**n),  n = 20 - floor(log2 of the larger ratio): multipliers of 21 bits
    leaky ReLU, requantization      y_q = ((x_q - z_x) * m + 128 >> 8) + z_y,  m = rint(256 * s_x / s_y)
    mean                y_q = rint(float32(acc) * (s_x / s_y / n)) + z_y,  acc = sum(x_q) - n * z_x
    bilinear resize     weights of 11 bits, y_q = sum + 2**21 >> 22

Notes
-----
Sources: XNNPACK `src/microparams-init.c`, `src/operators/*.c`, `src/indirection.c`, read; LiteRT 2.3.0's delegate,
measured. Operators, widths and ratios the delegate leaves to LiteRT's own kernels follow profile `litert`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.arithmetic import Arithmetic

Array = NDArray[Any]
_F32 = np.float32


def _steps(codes: Array, grid: Any) -> NDArray[np.int64]:
    return codes.astype(np.int64) - grid.zero_point


def _is_narrow(grids: Sequence[Any]) -> bool:
    """Whether every operand has 8-bit codes and one scale a tensor."""
    return all(grid is not None and grid.bits == 8 and grid.axis is None for grid in grids)


def _sum(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic, sign: int) -> Array:
    ratios = [grid.scale / out.scale for grid in grids]
    if not _is_narrow(grids) or not all(2.0**-10 <= ratio < 2.0**8 for ratio in ratios):
        return layer.integer(codes, grids, out, arithmetic)
    shift = 21 - int(np.frexp(max(ratios))[1])
    a, b = (int(np.rint(np.ldexp(ratio, shift))) for ratio in ratios)
    total = _steps(codes[0], grids[0]) * a + sign * b * _steps(codes[1], grids[1])
    return ((total + (1 << (shift - 1))) >> shift) + out.zero_point


def add(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`qs8-vadd`: both operands at a common scale of 2**-shift output steps, rounded half up once."""
    return _sum(layer, codes, grids, out, arithmetic, 1)


def subtract(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`qs8-vadd` with the second multiplier negative."""
    return _sum(layer, codes, grids, out, arithmetic, -1)


def _eighths(steps: NDArray[np.int64], ratio: Any) -> NDArray[np.int64]:
    """steps * ratio with the ratio in 8 fractional bits, rounded half up."""
    return (steps * int(np.rint(_F32(256) * ratio)) + 128) >> 8


def relu(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`qs8-vlrelu` for the leaky kind; the plain one is not delegated."""
    grid = grids[0]
    ratio = grid.scale / out.scale
    if not layer.negative_slope or layer.threshold or layer.max_value is not None or not _is_narrow(grids):
        return layer.integer(codes, grids, out, arithmetic)
    steps = _steps(codes[0], grid)
    leaked = _eighths(steps, ratio * _F32(layer.negative_slope))
    return np.where(steps >= 0, _eighths(steps, ratio), leaked) + out.zero_point


def requantize(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`qs8-vcvt`."""
    ratio = grids[0].scale / out.scale
    if layer.through_reals or not _is_narrow([*grids, out]) or not 2.0**-8 <= ratio <= 2.0**7:
        return layer.integer(codes, grids, out, arithmetic)
    return _eighths(_steps(codes[0], grids[0]), ratio) + out.zero_point


def mean(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`qs8-rsum` and its requantization in float32."""
    x, grid = codes[0], grids[0]
    if not _is_narrow(grids):
        return layer.integer(codes, grids, out, arithmetic)
    axes = layer.reduced(x.shape)
    count = int(np.prod([x.shape[axis] for axis in axes]))
    acc = x.sum(axis=axes, keepdims=layer.keepdims, dtype=np.int64) - count * int(grid.zero_point)
    scale = _F32(grid.scale / out.scale) * (_F32(1) / _F32(count))
    return np.rint(acc.astype(_F32) * scale).astype(np.int64) + out.zero_point


RULES = {"Add": add, "Subtract": subtract, "Relu": relu, "Requantize": requantize, "Mean": mean}
"""What the delegate computes otherwise than LiteRT's reference kernels, beyond the requantizer of products."""
