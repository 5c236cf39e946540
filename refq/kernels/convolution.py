"""Convolution and dense layers on int8 codes: VPDPBUSD blocks over a padded image, requantized as each tile ends.

The image is copied once into a padded buffer with 128 added, which makes it unsigned and pays for the zero point: the
128 + z_x that every input carries is taken off the bias, channel by channel, when the constants are prepared. In the
padded buffer the FX * C inputs of one kernel row lie side by side, so that an output pixel is FY runs of bytes: no
im2col matrix exists. Neighbouring output pixels of a row of the image are the rows of a block.
"""

from __future__ import annotations

from numba import njit

from refq.kernels.compiled import compiled
from refq.kernels.depthwise_lanes import depthwise_lanes, tap_lanes
from refq.kernels.intrinsics import dot_block
from refq.kernels.lanes import copy_flipped
from refq.kernels.requantize import fit_rows, requantize_rows

_B64x6, _B64x4, _B64x2, _B64x1 = (dot_block(rows, 4, True) for rows in (6, 4, 2, 1))
_B32x12, _B32x8, _B32x4, _B32x1 = (dot_block(rows, 2, True) for rows in (12, 8, 4, 1))
_B16x16, _B16x8, _B16x4, _B16x1 = (dot_block(rows, 1, True) for rows in (16, 8, 4, 1))

TILE_ROWS = 48
"""Output pixels that are requantized at once: a multiple of every block, and 12 KB of sums at most."""


@njit(inline="always")
def _block(a, row_stride, segment_stride, segments, b, quads, c, panel, rows):
    """One block; returns how many rows it computed: the most that fit, unless two even blocks do for all."""
    if panel == 64:
        if rows >= 6 and rows != 8:
            _B64x6(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
            return 6
        if rows >= 4:
            _B64x4(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
            return 4
        if rows >= 2:
            _B64x2(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
            return 2
        _B64x1(a, row_stride, segment_stride, segments, b, quads, c, 256, False)
        return 1
    if panel == 32:
        if rows >= 12 and rows != 16:
            _B32x12(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
            return 12
        if rows >= 8:
            _B32x8(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
            return 8
        if rows >= 4:
            _B32x4(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
            return 4
        _B32x1(a, row_stride, segment_stride, segments, b, quads, c, 128, False)
        return 1
    if rows >= 16:
        _B16x16(a, row_stride, segment_stride, segments, b, quads, c, 64, False)
        return 16
    if rows >= 8:
        _B16x8(a, row_stride, segment_stride, segments, b, quads, c, 64, False)
        return 8
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
    tile (TILE_ROWS, panel) int32; y (N, OY, OX, O) int8
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
                for ox in range(0, out_x, TILE_ROWS):
                    rows, done = min(TILE_ROWS, out_x - ox), 0
                    while done < rows:
                        done += _block(
                            start + (ox + done) * step,
                            step,
                            row_bytes,
                            segments,
                            weights + p * panel_bytes,
                            quads,
                            sums + done * panel * 4,
                            panel,
                            rows - done,
                        )
                    if register[0]:
                        fit_rows(tile, rows, width_left, constants[0], first, register)
                    place = out + ((n * out_y + oy) * out_x + ox) * channels + first
                    requantize_rows(sums, panel * 4, rows, settings, stride, limits, place, channels, width_left)


@compiled
def convolve_depthwise(x, padded, order, columns, w, offsets, constants, window, limits, register, acc, y):
    """Codes of a depthwise convolution with one filter a channel.

    x (N, H, W * C) int8; padded (H + pads, (W + pads) * C) uint8 with 15 more bytes behind, borders filled
    order (64) uint8: `depthwise_lanes.COLUMN_ORDER`
    columns (W + pads, groups, 64) uint8: one row of the kernel's view as words of four rows, `groups` of them
    w (C / 16 up, groups * FX, 16, 4) int8, zeros where a group reaches past the kernel
    offsets (groups * FX) int64: where each tap reads, in bytes of `columns`
    constants (3, C padded to 16) int32: bias, multiplier, right shift
    window: stride_y, stride_x, dilation_y, FY, top, left * C       limits: rule, zero, low, high
    register: see `convolve`; acc (TILE_ROWS + 3, 16) int32; y (N, OY, OX, C) int8
    """
    stride_y, stride_x, dilation_y, kernel, top, left = window
    images, height, width = x.shape
    _, out_y, out_x, channels = y.shape
    taps = w.shape[1]
    places_x, groups = columns.shape[:2]
    seen, origin, row_bytes, words = x.ctypes.data, padded.ctypes.data, padded.shape[1], columns.ctypes.data
    sums, places, stride = acc.ctypes.data, offsets.ctypes.data, 4 * constants.shape[1]
    row_step, step = dilation_y * row_bytes, stride_x * groups * 64
    for n in range(images):
        for iy in range(height):
            source = seen + (n * height + iy) * width
            copy_flipped(source, origin + (top + iy) * row_bytes + left, width, 128)
        for c in range(0, channels, 16):
            weights, settings, count = (
                w.ctypes.data + c * taps * 4,
                constants.ctypes.data + 4 * c,
                min(16, channels - c),
            )
            place, held = y.ctypes.data + n * out_y * out_x * channels + c, 0
            for oy in range(out_y):
                base = origin + oy * stride_y * row_bytes + c
                for group in range(groups):
                    rows = min(4, kernel - 4 * group)
                    for ix in range(places_x):
                        column = base + 4 * group * row_step + ix * channels
                        tap_lanes(column, row_step, rows, order.ctypes.data, words + (ix * groups + group) * 64)
                for ox in range(0, out_x, TILE_ROWS):
                    rows = min(TILE_ROWS, out_x - ox)
                    depthwise_lanes(words + ox * step, step, rows, places, taps, weights, sums + 64 * held)
                    held += rows
                    is_last = oy == out_y - 1 and ox + rows == out_x
                    if is_last or held + min(TILE_ROWS, out_x) > TILE_ROWS:  # rows of the image follow one another
                        if register[0]:
                            fit_rows(acc, held, count, constants[0], c, register)
                        requantize_rows(sums, 64, held, settings, stride, limits, place, channels, count)
                        place, held = place + held * channels, 0
