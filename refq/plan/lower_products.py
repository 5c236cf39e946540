"""Convolutions and dense layers onto the kernels of `refq.kernels.convolution`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refq.numerics import Accumulator
from refq.numerics.bounds import accumulator_range
from refq.plan.lower_registers import lower_channels_in_order, lower_in_order, lower_transposed, spread_channels
from refq.plan.lowering import Array, Bind, Call, KernelCall, Site, aligned, fixed_point, lowers, requantized

_SLACK = 64
"""Readable bytes behind a padded image: the last quad of a kernel row may reach past it, onto weights of zero."""


def has_block() -> bool:
    """Whether the processor has the instruction that convolutions are built on."""
    from refq.kernels.cpu import route

    return route() == "avx512vnni"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What a multiply-accumulate layer needs beside its weights.

    rule, m, s : of the requantizer, int32 (channels)
    bias : int64 (channels), without the inputs' zero point yet
    register : places and rule of a register narrower than some sum, see `refq.kernels.requantize.fit_rows`
    in_order : the register, where it has to be held to its ends at every addition
    """

    rule: int
    bias: Array
    m: Array
    s: Array
    register: tuple[int, bool]
    in_order: Accumulator | None


def _prepared(site: Site, axis: int) -> _Prepared | None:
    """None for a layer that no kernel computes."""
    x_grid, w_grid, b_grid = (*site.grids, None)[:3]
    if not site.is_int8(0) or 1 not in site.constants or x_grid is None or w_grid is None:
        return None
    if w_grid.bits > 8 or not w_grid.signed or w_grid.zero_point.any():
        return None
    w, b = site.constants[1], site.constants.get(2)
    if b_grid is not None and (b is None or b_grid.bits > 32):
        return None
    accumulator = site.arithmetic.accumulator_for(x_grid.bits)
    low, high = accumulator_range(w, x_grid, b, 0, axis)
    # Partial sums run on codes from 0 to 255: these have to stay within 32 bits too.
    others = tuple(i for i in range(w.ndim) if i != axis % w.ndim)
    unsigned = 255 * int(np.abs(w.astype(np.int64)).sum(axis=others).max(initial=0))
    bound, end = max(int(-low.min()), int(high.max())), 1 << (accumulator.bits - 1)
    is_narrow, fits = bound >= end, bound < 1 << 31 and unsigned < 1 << 31
    in_order = accumulator if accumulator.follows_terms(bound) else None
    if (is_narrow and accumulator.overflow == "raise") or not (fits or in_order):
        return None
    requantizer = site.arithmetic.requantizer(site.node.op, x_grid.bits)
    real = requantizer.factor((x_grid.scale, w_grid.scale), site.out.scale)
    found = fixed_point(requantizer, real, min(bound, end))
    if found is None:
        return None
    rule, m, s = found
    channels = w.shape[axis]
    bias = np.zeros(channels, np.int64) if b is None else b.astype(np.int64)
    register = (32 - accumulator.bits if is_narrow else 0, accumulator.overflow == "saturate")
    m, s = np.broadcast_to(m, (channels,)), np.broadcast_to(s, (channels,))
    return _Prepared(rule=rule, bias=bias, m=m, s=s, register=register, in_order=in_order)


def _packed(w: Array) -> tuple[Array, int, int]:
    """(O, FY, FX*C) codes as [panel][FY][quad][channel][4], the quads a kernel row, and the panel's width."""
    channels, kernel, run = w.shape
    panel = 16 if channels <= 16 else 32 if channels <= 32 else 64
    panels, quads = -(-channels // panel), -(-run // 4)
    full = np.zeros((panels * panel, kernel, quads * 4), np.int8)
    full[:channels, :, :run] = w
    packed = aligned((panels, kernel, quads, panel, 4), np.int8)
    packed[...] = full.reshape(panels, panel, kernel, quads, 4).transpose(0, 2, 3, 1, 4)
    return packed, quads, panel


def _bind(site: Site, prepared: Any, w: Array, image: tuple[int, int, int], window: Any) -> Bind:
    """The kernel call of a convolution over images of (H, W * C) with the window (sy, sx, top, left, pads)."""
    from refq.kernels.convolution import TILE_ROWS, convolve

    bias = prepared.bias
    stride_y, step, top, left, padded_height, padded_width = window
    packed, quads, panel = _packed(w)
    offset = 128 + site.x_zero
    constants = np.zeros((3, packed.shape[0] * panel), np.int32)
    constants[0, : len(bias)] = bias - offset * w.astype(np.int64).sum(axis=(1, 2))
    constants[1, : len(bias)], constants[2, : len(bias)] = prepared.m, prepared.s
    height, width, out_x = image
    last = (*requantized(site, prepared.rule, prepared.s), *prepared.register)

    def bind(inputs: list[Array], y: Array) -> Call:
        x, channels = inputs[0].reshape(-1, height, width), y.shape[-1]
        pixels = y.size // (len(x) * channels)
        padded = aligned((padded_height, padded_width), np.uint8, offset, _SLACK)
        tile = aligned((TILE_ROWS, panel), np.int32)
        rows, columns = np.divmod(np.arange(pixels), out_x)
        places = rows * stride_y * padded_width + columns * step
        shape = (len(x), height, width, padded_width, top * padded_width + left)
        block = (w.shape[1], quads, panel, pixels, channels, constants.strides[0])
        return KernelCall.of(convolve, (x, padded, packed, constants, places, tile, y), (*shape, *block, *last))

    return bind


@lowers("Conv2D")
def _conv(site: Site) -> Bind | None:
    layer = site.layer
    prepared = _prepared(site, 0)
    if prepared is None:
        return None
    w, (_, height, width, channels) = site.constants[1], site.shapes[0]
    shape = layer.window(site.shapes[0], w.shape)
    is_plain = layer.groups == 1 and layer.dilation == (1, 1)
    if prepared.in_order is not None or not is_plain or not has_block():
        return lower_in_order(site, prepared, shape, layer.groups)
    (top, bottom), (left, right) = shape.pads
    runs = w.reshape(*w.shape[:2], -1)
    if shape.kernel == (1, 1) and shape.strides == (1, 1) and not any(map(any, shape.pads)):
        pixels = height * width  # neighbours in memory, so that all pixels are one row
        return _bind(site, prepared, runs, (1, pixels * channels, pixels), (1, channels, 0, 0, 1, pixels * channels))
    padded = (height + top + bottom, (width + left + right) * channels)
    window = (shape.strides[0], shape.strides[1] * channels, top, left * channels, *padded)
    return _bind(site, prepared, runs, (height, width * channels, shape.out[1]), window)


@lowers("Conv2DTranspose")
def _transposed(site: Site) -> Bind | None:
    prepared = _prepared(site, 0)
    return None if prepared is None else lower_transposed(site, prepared)


@lowers("Dense")
def _dense(site: Site) -> Bind | None:
    prepared = _prepared(site, 0)
    if prepared is None:
        return None
    if prepared.in_order is not None or not has_block():
        return lower_in_order(site, prepared)
    w = site.constants[1]
    depth = w.shape[1]

    def bind(inputs: list[Array], y: Array) -> Call:
        rows = inputs[0].size // depth
        inner = _bind(site, prepared, w[:, None, :], (1, rows * depth, rows), (1, depth, 0, 0, 1, rows * depth))
        return inner(inputs, y)

    return bind


@lowers("DepthwiseConv2D")
def _depthwise(site: Site) -> Bind | None:
    prepared = _prepared(site, 3)
    if prepared is None:
        return None
    w, (_, height, width, _) = site.constants[1], site.shapes[0]
    channels = w.shape[3]
    shape = site.layer.window(site.shapes[0], w.shape)
    if prepared.in_order is not None:
        return lower_channels_in_order(site, prepared, shape)
    from refq.kernels.convolution import TILE_ROWS, convolve_depthwise
    from refq.kernels.depthwise_lanes import COLUMN_ORDER

    (top, bottom), (left, right) = shape.pads
    offset = 128 + site.x_zero
    places_x = width + left + right
    whole = -(-channels // 16) * 16
    order = np.array(COLUMN_ORDER, np.uint8)
    words, offsets = _in_words(w[0], shape.dilation[1])
    constants = aligned((3, whole), np.int32)
    constants[0, :channels] = prepared.bias - offset * w[0].sum(axis=(0, 1), dtype=np.int64)
    constants[1:, :channels] = prepared.m, prepared.s
    limits = requantized(site, prepared.rule, prepared.s)
    window = (*shape.strides, shape.dilation[0], shape.kernel[0], top, left * channels)

    def bind(inputs: list[Array], y: Array) -> Call:
        padded = aligned((height + top + bottom, places_x * channels), np.uint8, offset, _SLACK)
        columns = aligned((places_x, -(-shape.kernel[0] // 4), 64), np.uint8)
        acc = aligned((TILE_ROWS + 3, 16), np.int32)
        spread, stretch = spread_channels(inputs[0], channels)
        x = spread.reshape(-1, height, width * channels)

        def call() -> None:
            stretch()
            convolve_depthwise(
                x, padded, order, columns, words, offsets, constants, window, limits, prepared.register, acc, y
            )

        return call

    return bind


def _in_words(w: Array, dilation: int) -> tuple[Array, Array]:
    """(FY, FX, C) codes as [C / 16][FX * groups][16][4], four kernel rows a word, and where each tap reads."""
    kernel_y, kernel_x, channels = w.shape
    groups, panels = -(-kernel_y // 4), -(-channels // 16)
    full = np.zeros((groups * 4, kernel_x, panels * 16), np.int8)
    full[:kernel_y, :, :channels] = w
    words = aligned((panels, kernel_x * groups, 16, 4), np.int8)
    words[...] = full.reshape(groups, 4, kernel_x, panels, 16).transpose(3, 2, 0, 4, 1).reshape(words.shape)
    steps = np.indices((kernel_x, groups)).reshape(2, -1)
    return words, (steps[0] * dilation * groups + steps[1]) * 64
