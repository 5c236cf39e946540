"""Convolution and dense layers on int8 codes: VPDPBUSD blocks over a padded image, requantized as each tile ends.

The image is copied once into a padded buffer with 128 added, which makes it unsigned and pays for the zero point: the
128 + z_x that every input carries is taken off the bias, channel by channel, when the constants are prepared. In the
padded buffer the FX * C inputs of one kernel row lie side by side, so that an output pixel is FY runs of bytes: no
im2col matrix exists. Neighbouring output pixels of a row of the image are the rows of a block.
"""

from __future__ import annotations

from numba import njit

from refq.kernels.compiled import compiled
from refq.kernels.intrinsics import dot_block
from refq.kernels.lanes import copy_flipped, depthwise_lanes
from refq.kernels.requantize import fit_rows, requantize_row

_B64x6, _B64x3, _B64x1 = (dot_block(rows, 4, True) for rows in (6, 3, 1))
_B32x12, _B32x4, _B32x1 = (dot_block(rows, 2, True) for rows in (12, 4, 1))
_B16x14, _B16x4, _B16x1 = (dot_block(rows, 1, True) for rows in (14, 4, 1))


@njit(inline="always")
def _block(a, row_stride, segment_stride, segments, b, quads, c, panel, rows):
    """One block; returns how many rows it computed: the most that fit."""
    if panel == 64:
        if rows >= 6:
            _B64x6(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
            return 6
        if rows >= 3:
            _B64x3(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
            return 3
        _B64x1(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
        return 1
    if panel == 32:
        if rows >= 12:
            _B32x12(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
            return 12
        if rows >= 4:
            _B32x4(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
            return 4
        _B32x1(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
        return 1
    if rows >= 14:
        _B16x14(a, row_stride, segment_stride, segments, b, quads, c, 64, False)
        return 14
    if rows >= 4:
        _B16x4(a, row_stride, segment_stride, segments, b, quads, c, 64, False)
        return 4
    _B16x1(a, row_stride, segment_stride, segments, b, quads, c, 64, False)
    return 1


@compiled
def convolve(x, padded, w, constants, window, limits, register, tile, y):
    """Codes of a convolution.

    x (N, H, W * C) int8; padded (H + pads, (W + pads) * C) uint8 in a longer buffer, borders filled
    w (panels, FY, quads, panel, 4) int8, zeros where a quad reaches past a kernel row
    constants (3, channels) int32: bias, multiplier, right shift; padded to whole panels
    window: stride_y, stride_x * C, top, left * C, FY, quads, panel       limits: rule, zero, low, high
    register: places and rule of a sum narrower than 32 bits, see `fit_rows`; 0 places for none
    tile (14, panel) int32; y (N, OY, OX, O) int8
    """
    stride_y, step, top, left, segments, quads, panel = window
    images, height, width = x.shape
    _, out_y, out_x, channels = y.shape
    row_bytes = padded.shape[1]
    first_constant, stride, out = constants.ctypes.data, 4 * constants.shape[1], y.ctypes.data
    seen, origin, weights, sums = x.ctypes.data, padded.ctypes.data, w.ctypes.data, tile.ctypes.data
    panel_bytes = segments * quads * panel * 4
    for n in range(images):
        for iy in range(height):
            source = seen + (n * height + iy) * width
            copy_flipped(source, origin + (top + iy) * row_bytes + left, width, 128)
        for p in range((channels + panel - 1) // panel):
            first = p * panel
            width_left = min(panel, channels - first)
            settings = first_constant + 4 * first
            for oy in range(out_y):
                start = origin + oy * stride_y * row_bytes
                ox = 0
                while ox < out_x:
                    done = _block(
                        start + ox * step,
                        step,
                        row_bytes,
                        segments,
                        weights + p * panel_bytes,
                        quads,
                        sums,
                        panel,
                        out_x - ox,
                    )
                    if register[0]:
                        fit_rows(tile, done, width_left, constants[0], first, register)
                    place = out + ((n * out_y + oy) * out_x + ox) * channels + first
                    for r in range(done):
                        row = sums + r * panel * 4
                        requantize_row(row, settings, stride, limits, place + r * channels, width_left)
                    ox += done


@compiled
def convolve_depthwise(x, padded, w, offsets, constants, window, limits, register, acc, y):
    """Codes of a depthwise convolution with one filter a channel.

    x (N, H, W * C) int8; padded (H + pads, (W + pads) * C) int8 with 15 more bytes behind, borders filled with the
    zero point; w (taps, C padded to 16) int8; offsets (taps) int64, where each tap reads, in bytes of `padded`
    constants (3, C padded to 16) int32: bias, multiplier, right shift
    window: stride_y, stride_x * C, top, left * C       limits: rule, zero, low, high
    register: see `convolve`; acc (1, 16) int32; y (N, OY, OX, C) int8
    """
    stride_y, step, top, left = window
    images, height, width = x.shape
    _, out_y, out_x, channels = y.shape
    taps, w_stride = w.shape
    seen, origin, row_bytes, weights, sums = (
        x.ctypes.data,
        padded.ctypes.data,
        padded.shape[1],
        w.ctypes.data,
        acc.ctypes.data,
    )
    places, settings, stride, out = offsets.ctypes.data, constants.ctypes.data, 4 * w_stride, y.ctypes.data
    for n in range(images):
        for iy in range(height):
            source = seen + (n * height + iy) * width
            copy_flipped(source, origin + (top + iy) * row_bytes + left, width, 0)
        for oy in range(out_y):
            for ox in range(out_x):
                base = origin + oy * stride_y * row_bytes + ox * step
                place = out + ((n * out_y + oy) * out_x + ox) * channels
                for c in range(0, channels, 16):
                    depthwise_lanes(base + c, places, taps, weights + c, w_stride, sums)
                    if register[0]:
                        fit_rows(acc, 1, min(16, channels - c), constants[0], c, register)
                    requantize_row(sums, settings + 4 * c, stride, limits, place + c, min(16, channels - c))
