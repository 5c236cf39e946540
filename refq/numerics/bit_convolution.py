"""Convolution of bit planes: patches of bits, then one product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.numerics.bit_planes import PackedBits, pack_bits
from refq.numerics.bit_products import packed_matmul

Pair = tuple[int, int]

_PATCH_BYTES = 16 << 20
"""Patches of as many images at a time as fit this."""


def bit_convolution(
    x: Any,
    w: PackedBits,
    *,
    kernel: Pair,
    out: Pair,
    strides: Pair = (1, 1),
    dilation: Pair = (1, 1),
    before: Pair = (0, 0),
    grid: Any = "binary",
    bits: int = 1,
    threads: int = 1,
) -> NDArray[np.int32]:
    """Two-dimensional convolution of narrow codes, exactly; positions outside the image contribute 0.

        y[n,oy,ox,o] = sum_{fy,fx,c} x[n, oy*sy + fy*dy - top, ox*sx + fx*dx - left, c] * w[o,fy,fx,c]

    Parameters
    ----------
    x : integers, shape (N, H, W, C)
    w : PackedBits of shape (O, FY * FX * C), the last axis in the order fy, fx, c
    kernel, out, strides, dilation : (height, width)
    before : (top, left) padding; what lies behind the image follows from `out`
    grid, bits : of x, as in `pack_bits`
    threads : int >= 1

    Raises
    ------
    ShapeError    w has another depth than a patch
    RangeError    as `pack_bits` and `packed_matmul`
    """
    codes = np.asarray(x)
    if codes.ndim != 4 or w.depth != kernel[0] * kernel[1] * codes.shape[3]:
        raise ShapeError(
            f"packed weights of depth {w.depth} need an input (N, H, W, C) with {kernel[0]} * {kernel[1]} * C "
            f"codes a patch, got shape {codes.shape}"
        )
    n, height, width, channels = codes.shape
    image = pack_bits(codes.reshape(n * height, width * channels), grid, bits)
    y = np.zeros((n, out[0] * out[1], len(w)), np.int32)
    if not y.size or not w.depth:
        return y.reshape(n, *out, len(w))

    from refq.kernels.bit_patches import bit_patches

    words = -(-w.depth // 64)
    step = max(1, _PATCH_BYTES // (len(image.planes) * out[0] * out[1] * words * 8))
    geometry = (height, width, channels, kernel, strides, dilation, before, out)
    for start in range(0, n, step):
        count = min(step, n - start)
        planes = np.zeros((len(image.planes), count * out[0] * out[1], words), np.uint64)
        for plane, patches in zip(image.planes, planes, strict=True):
            bit_patches(plane[start * height : (start + count) * height], *geometry, patches)
        rows = PackedBits(planes=planes, depth=w.depth, grid=image.grid)
        y[start : start + count] = packed_matmul(rows, w, threads).reshape(count, -1, len(w))
    if image.offset:
        _remove_padding(y, w, (height, width), geometry)
    return y.reshape(n, *out, len(w))


def _remove_padding(y: NDArray[np.int32], w: PackedBits, size: Pair, geometry: tuple[Any, ...]) -> None:
    """Take back what 0 bits outside the image added: on the binary grid they stand for 1."""
    _, _, channels, kernel, strides, dilation, before, out = geometry
    inside: list[NDArray[np.bool_]] = []
    for axis in (0, 1):
        first = np.arange(out[axis], dtype=np.int64) * strides[axis] - before[axis]
        at = first[:, None] + np.arange(kernel[axis], dtype=np.int64) * dilation[axis]
        inside.append((at >= 0) & (at < size[axis]))
    outside = ~(inside[0][:, None, :, None] & inside[1][None, :, None, :]).reshape(out[0] * out[1], -1)
    touched = outside.any(axis=1)
    if touched.any():
        taps = w.unpack().reshape(len(w), -1, channels).sum(axis=2)
        y[:, touched] -= (outside[touched].astype(np.int64) @ taps.T.astype(np.int64)).astype(np.int32)
