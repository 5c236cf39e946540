"""Sums of products in registers that saturate at every addition, in the stated order: bias, then fy, fx, c.

Images are copied once into a padded buffer of words with the zero point taken off, so that padding adds 0 and changes
no register. An output pixel is a list of runs: one a kernel row and column, or one a kernel row where columns touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refq.kernels.compiled import compiled
from refq.kernels.register_block import register_block
from refq.kernels.requantize import fit_rows, requantize_rows

_W8, _W4, _W1 = (register_block(rows, 32) for rows in (8, 4, 1))
_E8, _E4, _E1 = (register_block(rows, 32, False) for rows in (8, 4, 1))
_L4, _L1 = (register_block(rows, 64) for rows in (4, 1))


@njit(inline="always")
def _exact_block(a, row_stride, offsets, taps, run, w, start, c, rows):
    """`_block` for sums of int32 that no register cuts short."""
    if rows >= 8:
        _E8(a, row_stride, offsets, taps, run, w, start, c, 0, 0)
        return 8
    if rows >= 4:
        _E4(a, row_stride, offsets, taps, run, w, start, c, 0, 0)
        return 4
    _E1(a, row_stride, offsets, taps, run, w, start, c, 0, 0)
    return 1


@njit(inline="always")
def _block(size, a, row_stride, offsets, taps, run, w, start, c, low, high, rows):
    """One block of words of `size` bytes; returns how many rows it computed: the most that fit."""
    if size == 4:
        if rows >= 8:
            _W8(a, row_stride, offsets, taps, run, w, start, c, low, high)
            return 8
        if rows >= 4:
            _W4(a, row_stride, offsets, taps, run, w, start, c, low, high)
            return 4
        _W1(a, row_stride, offsets, taps, run, w, start, c, low, high)
        return 1
    if rows >= 4:
        _L4(a, row_stride, offsets, taps, run, w, start, c, low, high)
        return 4
    _L1(a, row_stride, offsets, taps, run, w, start, c, low, high)
    return 1


@compiled
def place_centred(image, zero, top, left, padded):
    """padded[top + y, left + i] = image[y, i] - zero; image (H, W * C) codes, padded (H + pads, ...) int32."""
    for y in range(image.shape[0]):
        for i in range(image.shape[1]):
            padded[top + y, left + i] = np.int32(image[y, i]) - zero


@compiled
def sum_in_order(padded, offsets, run, w, start, window, low, high, tile, y):
    """Registers of one image of a convolution.

    padded (H + pads, (W + pads) * C) words: int32, or int64 where a register and a product need it
    offsets (groups, taps) int64: where the runs of each group start, in bytes from the first input of a window
    w (groups, panels, taps, run, 16) and start (groups, panels, 16) words; start is the bias, already in the register
    window: stride_y, stride_x * C in bytes, channels of a group
    tile (8, 16) words; y (OY, OX, O) int32 or int64
    """
    stride_y, step, channels = window
    size = padded.itemsize
    origin, row_bytes = padded.ctypes.data, padded.shape[1] * size
    sums, taps = tile.ctypes.data, offsets.shape[1]
    groups, panels = w.shape[:2]
    out_y, out_x = y.shape[:2]
    for group in range(groups):
        places = offsets.ctypes.data + group * taps * 8
        for panel in range(panels):
            first = group * channels + panel * 16
            width = min(16, channels - panel * 16)
            weights = w.ctypes.data + (group * panels + panel) * taps * run * 16 * size
            bias = start.ctypes.data + (group * panels + panel) * 16 * size
            for oy in range(out_y):
                ox = 0
                while ox < out_x:
                    a = origin + oy * stride_y * row_bytes + ox * step
                    done = _block(size, a, step, places, taps, run, weights, bias, sums, low, high, out_x - ox)
                    for r in range(done):
                        for lane in range(width):
                            y[oy, ox + r, first + lane] = tile[r, lane]
                    ox += done


@compiled
def sum_channels_in_order(padded, w, start, window, low, high, y):
    """Registers of one image of a depthwise convolution with one filter a channel.

    padded (H + pads, W + pads, C), w (FY, FX, C), start (C): words of one type, as in `sum_in_order`
    window: stride_y, stride_x, dilation_y, dilation_x; y (OY, OX, C) int32 or int64
    """
    stride_y, stride_x, dilation_y, dilation_x = window
    channels = w.shape[2]
    for oy in range(y.shape[0]):
        for ox in range(y.shape[1]):
            out = y[oy, ox]
            for c in range(channels):
                out[c] = start[c]
            for fy in range(w.shape[0]):
                for fx in range(w.shape[1]):
                    seen = padded[oy * stride_y + fy * dilation_y, ox * stride_x + fx * dilation_x]
                    weights = w[fy, fx]
                    for c in range(channels):
                        out[c] = min(max(out[c] + seen[c] * weights[c], low), high)


@compiled
def convolve_in_order(x, padded, offsets, run, w, start, window, low, high, constants, limits, register, tile, y):
    """Codes of a convolution whose registers saturate, or (low = high = 0) of any that fits int32; see `sum_in_order`.

    x (N, H, W * C) int8; padded int32, its borders 0
    window: stride_y, stride_x * C in bytes, channels of a group, top, left * C, zero point of x
    constants (3, O + 15) int32: 0, multiplier, right shift      limits: rule, zero, low, high
    register: how a sum is fitted at its end, see `fit_rows`; 0 places for not
    y (N, OY, OX, O) int8
    """
    stride_y, step, share, top, left, zero = window
    origin, row_bytes = padded.ctypes.data, padded.shape[1] * 4
    sums, taps, settings = tile.ctypes.data, offsets.shape[1], constants.ctypes.data
    groups, panels = w.shape[:2]
    images, out_y, out_x, channels = y.shape
    for n in range(images):
        place_centred(x[n], zero, top, left, padded)
        for group in range(groups):
            places = offsets.ctypes.data + group * taps * 8
            for panel in range(panels):
                first, width = group * share + panel * 16, min(16, share - panel * 16)
                weights = w.ctypes.data + (group * panels + panel) * taps * run * 64
                bias = start.ctypes.data + (group * panels + panel) * 64
                for oy in range(out_y):
                    ox = 0
                    out = y.ctypes.data + (n * out_y + oy) * out_x * channels + first
                    while ox < out_x:
                        a = origin + oy * stride_y * row_bytes + ox * step
                        if low < high:
                            done = _block(4, a, step, places, taps, run, weights, bias, sums, low, high, out_x - ox)
                        else:
                            done = _exact_block(a, step, places, taps, run, weights, bias, sums, out_x - ox)
                            if register[0]:
                                fit_rows(tile, done, width, constants[0], first, register)
                        place, stride = out + ox * channels, 4 * constants.shape[1]
                        requantize_rows(sums, 64, done, settings + 4 * first, stride, limits, place, channels, width)
                        ox += done


@compiled
def convolve_channels_in_order(x, padded, w, start, window, low, high, constants, limits, acc, y):
    """Codes of a depthwise convolution whose registers saturate; see `sum_channels_in_order`.

    x (N, H, W * C) int8; padded (H + pads, W + pads, C), w (FY, FX, C), start (C) int32
    window: stride_y, stride_x, dilation_y, dilation_x, top, left * C, zero point of x
    constants (3, C padded to 16) int32: 0, multiplier, right shift; acc (1, OX, C) int32; y (N, OY, OX, C) int8
    """
    stride_y, stride_x, dilation_y, dilation_x, top, left, zero = window
    images, out_y, out_x, channels = y.shape
    rows = padded.reshape(padded.shape[0], -1)
    strides = (stride_y, stride_x, dilation_y, dilation_x)
    for n in range(images):
        place_centred(x[n], zero, top, left, rows)
        for oy in range(out_y):
            sum_channels_in_order(padded[oy * stride_y :], w, start, strides, low, high, acc)
            place, stride = y.ctypes.data + (n * out_y + oy) * out_x * channels, 4 * constants.shape[1]
            settings = constants.ctypes.data
            requantize_rows(acc.ctypes.data, 4 * channels, out_x, settings, stride, limits, place, channels, channels)
