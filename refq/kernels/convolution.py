"""Convolution and dense layers on int8 codes: VPDPBUSD blocks over a padded image, requantized as each tile ends.

The image is copied once into a padded buffer with 128 added, which makes it unsigned and pays for the zero point: the
128 + z_x that every input carries is taken off the bias, channel by channel, when the constants are prepared. In the
padded buffer the FX * C inputs of one kernel row lie side by side, so that an output pixel is FY runs of bytes: no
im2col matrix exists. Successive output pixels, of one row of the image or of several, are the rows of a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import (
    carray,  # pyright: ignore[reportPrivateImportUsage]
    njit,
)
from numba.np.unsafe.ndarray import to_fixed_tuple

from refq.kernels.compiled import compiled
from refq.kernels.depthwise_lanes import depthwise_lanes, tap_lanes
from refq.kernels.intrinsics import dot_block, pointer
from refq.kernels.lanes import copy_flipped
from refq.kernels.requantize import fit_rows, requantize_rows

_numbers: Any = to_fixed_tuple
_B64x6, _B64x4, _B64x2, _B64x1 = (dot_block(rows, 4) for rows in (6, 4, 2, 1))
_B32x12, _B32x8, _B32x4, _B32x1 = (dot_block(rows, 2) for rows in (12, 8, 4, 1))
_B16x16 = dot_block(16, 1, even=True)
_B16x8, _B16x4, _B16x1 = (dot_block(rows, 1) for rows in (8, 4, 1))

TILE_ROWS = 48
"""Output pixels that are requantized at once: a multiple of every block, and 12 KB of sums at most."""


@njit(inline="always")
def _are_even(places):
    """Whether 16 output pixels read at even distances: they do if no row of the image ends among them."""
    place = carray(pointer(places), 16, np.int64)
    return place[15] - place[0] == 15 * (place[1] - place[0])


@njit(inline="always")
def _block(a, places, segment_stride, segments, b, quads, c, panel, rows):
    """One block; returns how many rows it computed: the most that fit, unless two even blocks do for all."""
    if panel == 64:
        if rows >= 6 and rows != 8:
            _B64x6(a, places, segment_stride, segments, b, quads, c)
            return 6
        if rows >= 4:
            _B64x4(a, places, segment_stride, segments, b, quads, c)
            return 4
        if rows >= 2:
            _B64x2(a, places, segment_stride, segments, b, quads, c)
            return 2
        _B64x1(a, places, segment_stride, segments, b, quads, c)
        return 1
    if panel == 32:
        if rows >= 12 and rows != 16:
            _B32x12(a, places, segment_stride, segments, b, quads, c)
            return 12
        if rows >= 8:
            _B32x8(a, places, segment_stride, segments, b, quads, c)
            return 8
        if rows >= 4:
            _B32x4(a, places, segment_stride, segments, b, quads, c)
            return 4
        _B32x1(a, places, segment_stride, segments, b, quads, c)
        return 1
    if rows >= 16 and _are_even(places):
        _B16x16(a, places, segment_stride, segments, b, quads, c)
        return 16
    if rows >= 8:
        _B16x8(a, places, segment_stride, segments, b, quads, c)
        return 8
    if rows >= 4:
        _B16x4(a, places, segment_stride, segments, b, quads, c)
        return 4
    _B16x1(a, places, segment_stride, segments, b, quads, c)
    return 1


@compiled
def convolve(settings):
    """Codes of convolutions, one after the other; settings (convolutions, 24) int64, each row in the order below.

    One array of numbers because the interpreter spends as long on a call of many operands as on a small layer.

    Addresses
    ---------
    x (N, H, W * C) int8; padded (H + pads, (W + pads) * C) uint8 in a longer buffer, borders filled
    w (panels, FY, quads, panel, 4) int8, zeros where a quad reaches past a kernel row
    constants (3, channels) int32: bias, multiplier, right shift; padded to whole panels, `stride` bytes apart
    places (pixels) int64: where each output pixel reads, in bytes from the first of `padded`
    tile (TILE_ROWS, panel) int32; y (N, pixels, channels) int8

    Numbers
    -------
    images; height and width in bytes of x; bytes of a row of `padded`, and where in it the image starts
    segments (FY), quads, panel; pixels, channels; stride; rule, zero, low, high of `requantize_rows`
    lost, saturates: places and rule of a sum narrower than 32 bits, see `fit_rows`; 0 places for none
    """
    for call in range(len(settings)):
        row = settings[call]
        seen, origin, weights, constants, places, sums, out = _numbers(row[:7], 7)
        images, height, width, row_bytes, start = _numbers(row[7:12], 5)
        segments, quads, panel, pixels, channels, stride = _numbers(row[12:18], 6)
        rule, zero, low, high, lost, saturates = _numbers(row[18:24], 6)
        limits, panel_bytes = (rule, zero, low, high), segments * quads * panel * 4
        for n in range(images):
            for iy in range(height):
                copy_flipped(seen + (n * height + iy) * width, origin + start + iy * row_bytes, width, 128)
            for p in range((channels + panel - 1) // panel):
                first = p * panel
                width_left = min(panel, channels - first)
                for pixel in range(0, pixels, TILE_ROWS):
                    rows, done = min(TILE_ROWS, pixels - pixel), 0
                    while done < rows:
                        done += _block(
                            origin,
                            places + 8 * (pixel + done),
                            row_bytes,
                            segments,
                            weights + p * panel_bytes,
                            quads,
                            sums + done * panel * 4,
                            panel,
                            rows - done,
                        )
                    bias = constants + 4 * first
                    if lost:
                        tile = carray(pointer(sums), (rows, panel), np.int32)
                        fit_rows(tile, rows, width_left, carray(pointer(bias), panel, np.int32), 0, (lost, saturates))
                    place = out + (n * pixels + pixel) * channels + first
                    requantize_rows(sums, panel * 4, rows, bias, stride, limits, place, channels, width_left)


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
