"""XNNPACK's kernels for 8-bit codes, as integer rules: what the default delegate of LiteRT computes in its own way.

    sums of products    y_q = rint(float32(acc) * M) + z_y,  M = f32(f32(s_x * s_w) / s_y)    (`Layer.integer`)
    sum, difference     y_q = ((a_q - z_a) * m_a +- (b_q - z_b) * m_b + 2**(n - 1) >> n) + z_y,
                        m = rint(s / s_y * 2**n),  n = 20 - floor(log2 of the larger ratio): multipliers of 21 bits
    leaky ReLU, requantization      y_q = ((x_q - z_x) * m + 128 >> 8) + z_y,  m = rint(256 * s_x / s_y)
    mean                y_q = rint(float32(acc) * (s_x / s_y * (1 / n)) + z_y),  acc = sum(x_q) - n * z_x
    ELU                 y_q = rint(f(s_x * (x_q - z_x)) * (1 / s_y) + z_y), a table
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
    """`qs8-rsum` and a conversion in float32, which adds the zero point before it rounds."""
    x, grid = codes[0], grids[0]
    if not _is_narrow(grids):
        return layer.integer(codes, grids, out, arithmetic)
    axes = layer.reduced(x.shape)
    count = int(np.prod([x.shape[axis] for axis in axes]))
    acc = x.sum(axis=axes, keepdims=layer.keepdims, dtype=np.int64) - count * int(grid.zero_point)
    scale = _F32(grid.scale / out.scale) * (_F32(1) / _F32(count))
    return np.rint(acc.astype(_F32) * scale + _F32(out.zero_point)).astype(np.int64)


def elu(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`x8-lut`: the table of the float32 function; the zero point is added before rounding."""
    grid = grids[0]
    if not _is_narrow(grids):
        return layer.integer(codes, grids, out, arithmetic)
    every: NDArray[np.int64] = np.arange(grid.qmin, grid.qmax + 1, dtype=np.int64)
    reals = _steps(every, grid).astype(_F32) * grid.scale
    with np.errstate(over="ignore"):
        table = np.rint(layer.function(reals) * (_F32(1) / out.scale) + _F32(out.zero_point))
    return np.clip(table, out.qmin, out.qmax).astype(np.int64)[codes[0].astype(np.int64) - grid.qmin]


def _places(layer: Any, before: int, after: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """First and second source of every output place, and the weight of the second in 2**-11."""
    cut = int(layer.align_corners and after > 1)
    step = _F32(before - cut) / _F32(after - cut)
    places = np.arange(after).astype(_F32) * step
    if layer.half_pixel_centers and not layer.align_corners:
        places = np.clip(places + (_F32(0.5) * step - _F32(0.5)), _F32(0), _F32(before - 1))
    first = places.astype(np.int64)
    weight = np.rint((places - first.astype(_F32)) * _F32(2048)).astype(np.int64)
    return first, np.minimum(first + 1, before - 1), weight


def resize_bilinear(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """`s8-ibilinear`: places in float32, prepared from the sizes alone; weights and sums in integers."""
    if not _is_narrow(grids) or grids[0] != out:
        return layer.integer(codes, grids, out, arithmetic)
    x = codes[0].astype(np.int64)
    _, height, width, _ = layer.infer_shape(x.shape)
    (top, bottom, v), (left, right, u) = _places(layer, x.shape[1], height), _places(layer, x.shape[2], width)

    def along_row(row: NDArray[np.int64]) -> NDArray[np.int64]:
        return (row[:, :, left] << 11) + (row[:, :, right] - row[:, :, left]) * u[:, None]

    above, below = along_row(x[:, top]), along_row(x[:, bottom])
    total = (above << 11) + (below - above) * v[:, None, None]
    return (total + (1 << 21)) >> 22


RULES = {
    "Add": add,
    "Subtract": subtract,
    "Relu": relu,
    "Elu": elu,
    "Requantize": requantize,
    "Mean": mean,
    "ResizeBilinear": resize_bilinear,
}
"""What the delegate computes otherwise than LiteRT's reference kernels, beyond the requantizer of products."""
