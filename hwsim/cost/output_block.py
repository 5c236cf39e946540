"""The block of outputs that a micro-block array works on at a time.

A block stays in the accumulators while its window streams by, so its sums and its input must fit the buffers, both
twice; once where each has a buffer of its own and channels go alone. Among the blocks that fit, the compiler takes the
one that moves fewest bytes:

    input   = input block * channels * blocks over the image * blocks over the depth (once where channels go alone)
    weights = taps * channels * filters * blocks over the image
    cost    = (input + weights) / outputs, halved where the whole input fits the two buffers
    cost    = outputs / block for elementwise work

Part kernel, 8 channels x 4 taps a step, is chosen where it fills its steps better than depth first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spatial import MicroArray
from hwsim.errors import SpecError

BIAS_BYTES = 10
"""Bias, multiplier and shift of one filter"""
WINDOW = 8
"""Longest side of a window that runs as one piece"""
_SPLIT = 16
_BANK = 1024
_LANES = 8
_Array = NDArray[Any]
_Sizes = tuple[_Array, _Array, _Array]
_ALONE = ("depthwise", "pool", "elementwise")


class Shape(NamedTuple):
    """What of a layer decides its block: output sizes, channels and elements of the input, window, stride."""

    kind: str
    height: int
    width: int
    depth: int
    channels: int
    inputs: int
    window: tuple[int, int]
    stride: tuple[int, int]


class Buffer(NamedTuple):
    """What of a device decides its blocks: micro-blocks by kind, buffers in bytes, granules, largest block."""

    micro: tuple[tuple[tuple[int, int, int], tuple[str, ...]], ...]
    shared: int
    inputs: int
    sums: int
    input_granule: int
    sum_granule: int
    first_channels: int
    part_channels: int
    part_taps: int
    part_least: int
    part_grain: int
    largest: tuple[int, int, int]


class Block(NamedTuple):
    """An output block, its input block (rows, columns, channels), its micro-block, whether 4 taps share a step."""

    height: int
    width: int
    depth: int
    rows: int
    columns: int
    channels: int
    micro: tuple[int, int, int]
    part: bool


def buffer_of(m: MicroArray) -> Buffer:
    """The part of a specification that decides blocks."""

    def number(quantity: object) -> int:
        return 0 if quantity is None else int(quantity.value)  # type: ignore[attr-defined]

    micro = tuple(((number(b.height), number(b.width), number(b.depth)), b.kinds) for b in m.blocks)
    return Buffer(
        micro=micro,
        shared=number(m.shared_kib) * _BANK,
        inputs=number(m.input_kib) * _BANK,
        sums=number(m.sums_kib) * _BANK,
        input_granule=max(1, number(m.input_granule_kib)) * _BANK,
        sum_granule=max(1, number(m.sums_granule_kib)) * _BANK,
        first_channels=number(m.depth_first_channels),
        part_channels=number(m.part_kernel_channels),
        part_taps=number(m.part_kernel_taps),
        part_least=number(m.part_kernel_least_taps),
        part_grain=number(m.part_kernel_grain),
        largest=(number(m.largest_height), number(m.largest_width), number(m.largest_depth)),
    )


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _part_kernel(shape: Shape, buffer: Buffer) -> bool:
    if shape.kind != "mac":
        return shape.kind == "depthwise"
    taps, channels = shape.window[0] * shape.window[1], shape.channels
    rest = taps % buffer.part_taps
    paid = taps - rest + (max(rest, buffer.part_least) if rest else 0)
    by_taps = channels * taps / (_up(channels, buffer.part_grain) * paid)
    deep = channels / _up(channels, buffer.first_channels)
    return channels <= _LANES or by_taps >= deep


def _micro(shape: Shape, buffer: Buffer) -> tuple[int, int, int]:
    """The micro-block that pads the outputs least."""
    fit = [size for size, kinds in buffer.micro if not kinds or shape.kind in kinds] or [buffer.micro[0][0]]
    sizes = [np.prod([_up(a, b) for a, b in zip(shape[1:4], size, strict=True)]) for size in fit]
    return fit[int(np.argmin(sizes))]


@lru_cache(maxsize=8192)
def block_of(shape: Shape, buffer: Buffer) -> Block:
    """The output block that moves fewest bytes among those that fit."""
    alone, part, micro = shape.kind in _ALONE, _part_kernel(shape, buffer), _micro(shape, buffer)
    kh, kw = (min(side, WINDOW) for side in shape.window)
    grain = micro if buffer.shared else (*micro[:2], _SPLIT)
    tall, wide, deep = (_up(min(a, b), u) for a, b, u in zip(buffer.largest, shape[1:4], grain, strict=True))
    depths = sorted({min(deep, max(grain[2], d)) for d in (*range(_SPLIT, deep + 1, _SPLIT), deep)})
    axes = (np.array(depths), np.arange(grain[0], tall + 1, grain[0]), np.arange(grain[1], wide + 1, grain[1]))
    d, h, w = np.meshgrid(*axes, indexing="ij")
    rows = -(-((h - 1) * shape.stride[0] + kh) // grain[0]) * grain[0]
    columns = -(-((w - 1) * shape.stride[1] + kw) // grain[1]) * grain[1]
    most = buffer.part_channels if part else buffer.first_channels
    channels = d if alone else np.full_like(d, min(_up(shape.channels, _LANES), most))
    fits = _fits(shape, buffer, (h, w, d), rows * columns * -(-channels // _LANES) * _LANES, kh)
    cost = _cost(shape, (h, w, d), rows * columns, channels, alone, bool(buffer.shared) or not alone)
    if not fits.any():
        _check_room(micro, buffer)
        fits = (h == grain[0]) & (w == grain[1]) & (d == depths[0])
    best = np.unravel_index(np.argmin(np.where(fits, cost, np.inf)), cost.shape)
    height, width, depth, held_rows, held_columns, held = (int(a[best]) for a in (h, w, d, rows, columns, channels))
    return Block(height, width, depth, held_rows, held_columns, held, micro, part)


def _check_room(micro: tuple[int, int, int], buffer: Buffer) -> None:
    """A window too large for the buffer runs in pieces, one micro-block at a time; sums of that must fit.

    Raises
    ------
    SpecError    they do not
    """
    need, room = 2 * 4 * micro[0] * micro[1] * micro[2], buffer.shared or buffer.sums
    if need > room:
        raise SpecError(
            f"microblock: sums of {micro[0]} x {micro[1]} x {micro[2]} outputs need {need} bytes, the buffer has "
            f"{room}; enlarge shared_kib or sums_kib"
        )


def _fits(shape: Shape, buffer: Buffer, block: _Sizes, held: _Array, kh: int) -> _Array:
    h, w, d = block
    sums = np.where((shape.height == 1) & (kh == 1), 1, h) * w * -(-d // _LANES) * _LANES * 4
    if not buffer.shared:
        if shape.kind in _ALONE:
            return (held <= buffer.inputs) & (sums <= buffer.sums)
        twice = (2 * held <= buffer.inputs) & (2 * sums <= buffer.sums)
        return twice if twice.any() else (held <= buffer.inputs) & (sums <= buffer.sums)
    held = 2 * -(-held // _BANK) * _BANK
    held = -(-held // buffer.input_granule) * buffer.input_granule
    if shape.kind == "elementwise":
        return 2 * held <= buffer.shared
    sums = 2 * -(-sums // _BANK) * _BANK
    return held + -(-sums // buffer.sum_granule) * buffer.sum_granule <= buffer.shared


def _cost(shape: Shape, block: _Sizes, area: _Array, channels: _Array, alone: bool, twice: bool) -> _Array:
    h, w, d = block
    outputs = shape.height * shape.width * shape.depth
    if shape.kind == "elementwise":
        return np.maximum(outputs / (h * w * d), 1.0)
    deep_in = shape.depth if alone else shape.channels
    pieces = -(-shape.window[0] // WINDOW) * -(-shape.window[1] // WINDOW)
    moved = area * deep_in * pieces * (shape.height / h) * (shape.width / w)
    if not alone:
        moved = moved * np.ceil(shape.depth / d)
    taps = shape.window[0] * shape.window[1] if shape.kind in ("mac", "depthwise") else 0
    weights = taps * deep_in * np.ceil(shape.height / h) * np.ceil(shape.width / w) * (1 if alone else shape.depth)
    cost = (moved + weights) / outputs
    return np.where((shape.inputs < 2 * area * channels) & twice, cost / 2, cost)
