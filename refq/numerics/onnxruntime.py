"""ONNX Runtime's kernels for codes, as integer rules: float32 arithmetic inside one operation, codes outside.

    sums of products    y_q = rint(float32(acc) * f32(f32(s_x * s_w) / s_y)) + z_y      (`Layer.integer`)
    sum                 y_q = rint(a_q * r_a + (b_q * r_b + c)),  r = s / s_y,  c = z_y - (r_a * z_a + r_b * z_b)
    product             y_q = rint((a_q - z_a)(b_q - z_b) * f32(f32(s_a * s_b) / s_y) + z_y)
    global average      y_q = rint(float32(acc) * (s_x / (s_y * count))) + z_y,  acc = sum(x_q) - count * z_x
    softmax             y_q = rint(e / sum e * floor(1 / s_y)) + z_y,  e from a table of exp, the sum in order
    average under a window    y_q = rint(mean(s_x * (x_q - z_x)) / s_y + z_y)
    everything else     y_q = rint(f(s_x * (x_q - z_x)) / s_y) + z_y

Notes
-----
Sources: MLAS `qladd_avx2.cpp` (two fused multiply-adds; the zero point is added before rounding, so it moves ties),
`qlmul.cpp` (product and sum rounded one by one), `qlgavgpool.cpp`, `quantize.cpp`; operators without a kernel for codes
run as DequantizeLinear, float32 operator, QuantizeLinear. These are the kernels of x86-64 with AVX2; ARM builds add in
fixed point and round otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.arithmetic import Arithmetic, IntegerRule, Key

Array = NDArray[Any]
_F32 = np.float32


def fused_multiply_add(a: Array, b: Any, c: Any) -> Array:
    """float32 a * b + c, rounded once: the product of two float32 is exact in float64."""
    return (a.astype(np.float64) * np.float64(b) + np.asarray(c, np.float64)).astype(_F32)


def reals(codes: Array, grid: Any) -> Array:
    """DequantizeLinear in float32."""
    steps = codes.astype(np.int64) - grid.along(grid.zero_point, codes.ndim)
    return steps.astype(_F32) * grid.along(grid.scale, codes.ndim)


def nearest_codes(y: Array, grid: Any) -> NDArray[np.int64]:
    """QuantizeLinear: rint(y / s) + z, limited to what the grid holds."""
    with np.errstate(over="ignore"):
        steps = np.rint(np.nan_to_num(y.astype(_F32), posinf=np.inf, neginf=-np.inf) / grid.scale)
    zero = int(grid.zero_point)
    return np.clip(steps, grid.qmin - zero, grid.qmax - zero).astype(np.int64) + zero


def own(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Any:
    """The layer's integer path, with this profile's requantizer."""
    return layer.integer(codes, grids, out, arithmetic)


def through_reals(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Any:
    """Dequantize, compute in float32, quantize; a layer on plain integers, or with several results, keeps its path."""
    if out is None or isinstance(out, tuple):
        return layer.integer(codes, grids, out, arithmetic)
    arrays = [q if grid is None else reals(q, grid) for q, grid in zip(codes, grids, strict=True)]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return nearest_codes(layer.forward(*arrays), out)


def add(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """QLinearAdd."""
    (a, b), (a_grid, b_grid) = codes, grids
    if a_grid.bits > 8 or a_grid.axis is not None or b_grid.axis is not None:
        return through_reals(layer, codes, grids, out, arithmetic)
    a_ratio, b_ratio = a_grid.scale / out.scale, b_grid.scale / out.scale
    zeros = fused_multiply_add(np.asarray(a_ratio), _F32(a_grid.zero_point), b_ratio * _F32(b_grid.zero_point))
    fixed = _F32(out.zero_point) - zeros
    partial = fused_multiply_add(b, b_ratio, fixed)
    return np.rint(fused_multiply_add(a, a_ratio, partial)).astype(np.int64)


def multiply(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """QLinearMul."""
    (a, b), (a_grid, b_grid) = codes, grids
    if a_grid.bits > 8 or a_grid.axis is not None or b_grid.axis is not None:
        return through_reals(layer, codes, grids, out, arithmetic)
    ratio = a_grid.scale * b_grid.scale / out.scale
    products = (a.astype(np.int64) - a_grid.zero_point) * (b.astype(np.int64) - b_grid.zero_point)
    return np.rint(products.astype(_F32) * ratio + _F32(out.zero_point)).astype(np.int64)


def mean(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """QLinearGlobalAveragePool for the mean over an image, with its axes kept; else the mean of reals."""
    x, grid = codes[0], grids[0]
    axes = layer.reduced(x.shape)
    if grid.bits > 8 or not layer.keepdims or 0 in axes or len(axes) != x.ndim - 2:
        return through_reals(layer, codes, grids, out, arithmetic)
    count = int(np.prod([x.shape[axis] for axis in axes]))
    acc = x.astype(np.int64).sum(axis=axes, keepdims=True) - count * int(grid.zero_point)
    return np.rint(acc.astype(_F32) * (grid.scale / (out.scale * _F32(count)))).astype(np.int64) + out.zero_point


def average_pool(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """QLinearAveragePool: the zero point is added before rounding."""
    y = layer.forward(reals(codes[0], grids[0]))
    return np.rint(y / out.scale + _F32(out.zero_point)).astype(np.int64)


def softmax(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
    """QLinearSoftmax; 1 / s_y is rounded down, so a scale of 1/255 gives 254 steps.

    Notes
    -----
    `qlinear_softmax.cc`; version 1.32 divides first, measured on rows whose product would overflow. Exponentials are
    scaled up until their float32 sum almost overflows; that cancels in the quotient but for its rounding. A row's
    largest code always meets the table's last entry.
    """
    x, grid = codes[0], grids[0]
    if grid.bits > 8:
        return through_reals(layer, codes, grids, out, arithmetic)
    scale, size = float(grid.scale), x.shape[layer.axis]
    lift = max(0.0, float(np.log(np.finfo(_F32).max / _F32(size))) - 5) / scale
    table = np.exp((np.arange(256.0) - 255 + lift) * scale).astype(_F32)
    wide = x.astype(np.int64)
    e = table[wide - wide.max(axis=layer.axis, keepdims=True) + 255]
    total = np.take(np.cumsum(e, axis=layer.axis, dtype=_F32), [-1], axis=layer.axis)
    steps = np.rint(e / total * np.floor(_F32(1) / out.scale))
    return steps.astype(np.int64) + out.zero_point


RULES: Mapping[Key, IntegerRule] = {
    "Conv2D": own,
    "DepthwiseConv2D": own,
    "Conv2DTranspose": own,
    "Dense": own,
    "BatchMatMul": own,
    "Add": add,
    "Multiply": multiply,
    "Mean": mean,
    "AveragePool2D": average_pool,
    "Softmax": softmax,
    "*": through_reals,
}
"""Which operators have kernels of their own; the rest passes through float32."""
