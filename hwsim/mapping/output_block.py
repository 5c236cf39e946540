"""The block of outputs that a micro-block array works on at a time.

A block stays in the accumulators while its window streams by, so its sums and its input must fit the buffers, both
twice; once where no pair fits. Among the blocks that fit, the compiler takes the one that moves fewest bytes:

    input   = input block * channels * blocks over the image * blocks over the depth (once where channels go alone)
    weights = taps * channels * filters * blocks over the image
    cost    = (input + weights) / outputs, halved where the whole input fits the two buffers
    cost    = outputs / block for elementwise work

Part kernel, 8 channels x 4 taps a step, is chosen where it fills its steps better than depth first. Devices with
buffers of their own for inputs and sums choose differently where channels go alone, see hwsim/mapping/channel_block.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import SpecError
from hwsim.mapping.block_shape import (
    ALONE,
    KIB,
    LANES,
    SPLIT,
    WINDOW,
    Block,
    Buffer,
    Shape,
    input_unit,
    micro_of,
    span,
    up,
)
from hwsim.mapping.channel_block import channel_block

_SMALL = 4
"""Blocks up to this side: of equal cost, the one with the largest input block is taken"""
_Array = NDArray[Any]
Sizes = tuple[_Array, _Array, _Array]


def pieces(side: int, dilation: int = 1) -> int:
    """Pieces a window is cut into along an axis."""
    return -(-((side - 1) * dilation + 1) // WINDOW)


def part_kernel(shape: Shape, buffer: Buffer) -> bool:
    """Whether four taps share a step."""
    if shape.kind != "mac":
        return False
    taps, channels = shape.window[0] * shape.window[1], shape.channels
    rest = taps % buffer.part_taps
    paid = taps - rest + (max(rest, buffer.part_least) if rest else 0)
    by_taps = channels * taps / (up(channels, buffer.part_grain) * paid)
    return channels <= LANES or by_taps >= channels / up(channels, buffer.first_channels)


@lru_cache(maxsize=8192)
def block_of(shape: Shape, buffer: Buffer) -> Block:
    """The output block that moves fewest bytes among those that fit.

    Raises
    ------
    SpecError    no block fits: sums of one micro-block are larger than the buffer
    """
    if not buffer.shared and shape.kind in ALONE:
        return channel_block(shape, buffer)
    alone, part, micro = shape.kind in ALONE, part_kernel(shape, buffer), micro_of(shape, buffer)
    grain = micro if buffer.shared else (*micro[:2], max(SPLIT, micro[2]))
    ends = [up(max(min(a, b), u), u) for a, b, u in zip(buffer.largest, shape[1:4], grain, strict=True)]
    axes = (
        _depths(shape, micro[2], ends[2]),
        *(np.arange(u, end + 1, u) for u, end in zip(grain, ends[:2], strict=False)),
    )
    d, h, w = np.meshgrid(*axes, indexing="ij")
    most = buffer.part_channels if part else buffer.first_channels
    held = min(up(shape.channels, LANES), most) if buffer.shared else most
    unit = (*micro[:2], LANES) if buffer.shared else input_unit(held, micro, buffer)
    rows = up(span(h, shape.stride[0], shape.window[0], shape.dilation[0]), unit[0])
    columns = up(span(w, shape.stride[1], shape.window[1], shape.dilation[1]), unit[1])
    channels = d if alone else np.full_like(d, up(held, unit[2]))
    stored = rows * columns * up(channels if buffer.shared else np.minimum(channels, shape.channels), unit[2])
    fits = _fits(shape, buffer, (h, w, d), stored)
    cost = np.where(fits, _cost(shape, buffer, (h, w, d), (rows, columns, channels)), np.inf)
    if not fits.any():
        _check_room(micro, buffer)
        cost = np.where((h == grain[0]) & (w == grain[1]) & (d == axes[0][0]), 1.0, np.inf)
    best = np.unravel_index(_choose(shape, cost, (h, w, d), rows, columns), cost.shape)
    height, width, depth, *sides = (int(a[best]) for a in (h, w, d, rows, columns, channels))
    return Block(height, width, depth, sides[0], sides[1], sides[2], micro, part)


def _depths(shape: Shape, unit: int, end: int) -> _Array:
    """Depths that are tried: one micro-block after the other, in steps of 16 below the depth of the layer."""
    found, depth = [], max(unit, min(end, SPLIT))
    while True:
        depth = up(depth, SPLIT) if depth < shape.depth else depth
        if depth > end and found:
            return np.array(found)
        found.append(depth)
        depth += unit


def _choose(shape: Shape, cost: _Array, block: Sizes, rows: _Array, columns: _Array) -> int:
    """The first of least cost; among small ones the last that covers most of the input."""
    least = np.flatnonzero(cost.astype(np.float32) == cost.astype(np.float32).min())
    seen = np.minimum(rows, shape.rows) * np.minimum(columns, shape.columns)
    chosen, most = least[0], 0
    for place in least[1:]:
        if block[0].flat[place] <= _SMALL and block[1].flat[place] <= _SMALL and seen.flat[place] >= most:
            chosen, most = place, seen.flat[place]
    return int(chosen)


def _check_room(micro: tuple[int, int, int], buffer: Buffer) -> None:
    """A window too large for the buffer runs in pieces, one micro-block at a time; sums of that must fit."""
    need, room = 2 * 4 * micro[0] * micro[1] * micro[2], buffer.shared or buffer.sums
    if need > room:
        raise SpecError(
            f"microblock: sums of {micro[0]} x {micro[1]} x {micro[2]} outputs need {need} bytes, the buffer has "
            f"{room}; enlarge shared_kib or sums_kib"
        )


def _fits(shape: Shape, buffer: Buffer, block: Sizes, held: _Array) -> _Array:
    h, w, d = block
    if not buffer.shared:
        sums = h * w * up(d, SPLIT) * 4
        twice = (2 * held <= buffer.inputs) & (2 * sums <= buffer.sums)
        return twice if twice.any() else (held <= buffer.inputs) & (sums <= buffer.sums)
    banks = up(2 * -(-held // KIB), buffer.input_granule) * KIB
    if shape.kind == "elementwise":
        return 2 * banks <= buffer.shared
    flat = shape.height == 1 and shape.window[0] == 1
    sums = np.where(flat, 1, h) * w * up(d, LANES) * 4
    return banks + up(2 * -(-sums // KIB), buffer.sum_granule) * KIB <= buffer.shared


def _cost(shape: Shape, buffer: Buffer, block: Sizes, held: Sizes) -> _Array:
    (h, w, d), (rows, columns, channels) = block, held
    outputs, image = shape.height * shape.width * shape.depth, -(-shape.height // h) * -(-shape.width // w)
    alone = shape.kind in ALONE
    moved = rows * columns * shape.channels * (shape.height / h) * (shape.width / w)
    moved = moved * pieces(shape.window[0], shape.dilation[0]) * pieces(shape.window[1], shape.dilation[1])
    if not alone:
        moved = moved * -(-shape.depth // d)
    taps = shape.window[0] * shape.window[1] if shape.kind in ("mac", "depthwise") else 0
    cost = (moved + taps * shape.channels * image * (1 if alone else shape.depth)) / outputs
    if shape.kind in ("elementwise", "matmul"):
        cost = outputs / (h * w * d)
    elif shape.kind == "dense" and not buffer.shared:
        cost = 1 / (h * w * 1.0 + 0 * d)
    return np.where(shape.rows * shape.columns * shape.channels < 2 * rows * columns * channels, cost / 2, cost)
