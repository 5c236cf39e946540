"""Layers onto `refq.kernels.registers`: those whose registers saturate at every addition, and those of shapes or
processors for which there is no faster kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.layers.windows import Window
from refq.numerics import Accumulator
from refq.numerics.register_sums import LANES, lay_out, word_for
from refq.plan.lowering import Array, Bind, Call, Site, aligned, requantized

_PRODUCT = 255 * 128
"""No product of an int8 code less its zero point and an int8 weight exceeds it."""


def _ends(register: Accumulator) -> tuple[int, int]:
    return -(1 << (register.bits - 1)), (1 << (register.bits - 1)) - 1


def lower_in_order(
    site: Site,
    prepared: Any,
    shape: Window | None = None,
    groups: int = 1,
    taps: list[tuple[int, int]] | None = None,
) -> Bind | None:
    """A convolution, or (without a window) a dense layer; `taps` where they do not lie as the window has them."""
    register = prepared.in_order
    if register is not None and word_for(register, _PRODUCT) != np.int32:
        return None
    from refq.kernels.registers import convolve_in_order

    w = site.constants[1].astype(np.int32)
    depth = w.shape[1]
    low, high = (0, 0) if register is None else _ends(register)
    start = (prepared.bias if register is None else np.clip(prepared.bias, low, high)).astype(np.int32)
    end = (0, False) if register is not None else prepared.register
    constants = aligned((3, len(w) + LANES), np.int32)
    constants[1:, : len(w)] = prepared.m, prepared.s
    limits = requantized(site, prepared.rule, prepared.s)

    def bind(inputs: list[Array], y: Array) -> Call:
        if shape is None:
            rows = inputs[0].size // depth
            x, out = inputs[0].reshape(1, 1, -1), y.reshape(1, 1, rows, -1)
            form = lay_out(w[:, None, None], start, [(0, 0)], rows)
            padded, place = aligned((1, rows * depth), np.int32), (1, depth * 4, len(w), 0, 0)
        else:
            n, height, width, channels = inputs[0].shape
            (top, bottom), (left, right) = shape.pads
            x, out = inputs[0].reshape(n, height, -1), y
            row = width + left + right
            form = lay_out(w, start, shape.places() if taps is None else taps, row, groups)
            padded = aligned((height + top + bottom, row * channels), np.int32)
            place = (shape.strides[0], shape.strides[1] * channels * 4, form.channels, top, left * channels)
        tile = aligned((8, LANES), np.int32)
        window = (*place, site.x_zero)
        parts = (form.offsets, form.run, form.words, form.start)
        return lambda: convolve_in_order(x, padded, *parts, window, low, high, constants, limits, end, tile, out)

    return bind


def lower_channels_in_order(site: Site, prepared: Any, shape: Window) -> Bind | None:
    """A depthwise convolution whose registers saturate."""
    register = prepared.in_order
    if word_for(register, _PRODUCT) != np.int32:
        return None
    from refq.kernels.registers import convolve_channels_in_order

    w = np.ascontiguousarray(site.constants[1][0], np.int32)
    channels = w.shape[2]
    low, high = (np.int32(end) for end in _ends(register))
    start = np.clip(prepared.bias, low, high).astype(np.int32)
    constants = aligned((3, channels + LANES), np.int32)
    constants[1:, :channels] = prepared.m, prepared.s
    limits = requantized(site, prepared.rule, prepared.s)
    (top, bottom), (left, right) = shape.pads
    window = (*shape.strides, *shape.dilation, top, left * channels, site.x_zero)

    def bind(inputs: list[Array], y: Array) -> Call:
        n, height, width, _ = inputs[0].shape
        whole, stretch = spread_channels(inputs[0], channels)
        x = whole.reshape(n, height, -1)
        padded = aligned((height + top + bottom, width + left + right, channels), np.int32)
        acc = aligned((1, y.shape[2], channels), np.int32, 0, 64)

        def call() -> None:
            stretch()
            convolve_channels_in_order(x, padded, w, start, window, low, high, constants, limits, acc, y)

        return call

    return bind


def spread_channels(x: Array, channels: int) -> tuple[Array, Call]:
    """The image with each channel as often as it has filters, and the call that brings it up to date."""
    times = channels // x.shape[3]
    if times == 1:
        return x, lambda: None
    whole = np.empty((*x.shape, times), x.dtype)
    return whole.reshape(*x.shape[:3], channels), lambda: np.copyto(whole, x[..., None])


def lower_transposed(site: Site, prepared: Any) -> Bind | None:
    """A transposed convolution, as a convolution over the image with its pixels `strides` apart."""
    layer, w, (_, rows, columns, channels) = site.layer, site.constants[1], site.shapes[0]
    shape, taps, size, first = layer.as_convolution(site.shapes[0], w.shape)
    inner = lower_in_order(site, prepared, shape, 1, taps)
    if inner is None:
        return None
    (top, left), (step_y, step_x) = first, layer.strides

    def bind(inputs: list[Array], y: Array) -> Call:
        spread = np.full((len(inputs[0]), *size, channels), site.x_zero, np.int8)
        places = spread[:, top::step_y, left::step_x][:, :rows, :columns]
        convolve = inner([spread], y)

        def call() -> None:
            np.copyto(places, inputs[0])
            convolve()

        return call

    return bind
