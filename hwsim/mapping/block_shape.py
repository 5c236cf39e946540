"""What decides the blocks of a micro-block array: shapes of layers, buffers of devices, and the units of both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hwsim.arch.spatial import MicroArray

KIB = 1024
BIAS_BYTES = 10
"""Bias, multiplier and shift of one filter"""
WINDOW = 8
"""Longest side of a window that runs as one piece"""
LANES = 8
"""Input channels of a micro-block"""
SPLIT = 16
"""Grain of the depth of blocks, and of the sums' buffer"""
ALONE = ("depthwise", "pool", "elementwise")


class Shape(NamedTuple):
    """What of a layer decides its block: output, input, window, stride, dilation.

    kind : mac, depthwise, dense, matmul, pool or elementwise
    """

    kind: str
    height: int
    width: int
    depth: int
    rows: int
    columns: int
    channels: int
    window: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


class Buffer(NamedTuple):
    """What of a device decides its blocks: micro-blocks by kind, buffers in bytes, granules, largest block."""

    micro: tuple[tuple[tuple[int, int, int], tuple[str, ...]], ...]
    shared: int
    inputs: int
    sums: int
    outputs: int
    bricks: int
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

    def number(quantity: Any, scale: int = 1) -> int:
        return 0 if quantity is None else int(quantity.value * scale)

    micro = tuple(((number(b.height), number(b.width), number(b.depth)), b.kinds) for b in m.blocks)
    return Buffer(
        micro=micro,
        shared=number(m.shared_kib, KIB),
        inputs=number(m.input_kib, KIB),
        sums=number(m.sums_kib, KIB),
        outputs=number(m.output_kib, KIB),
        bricks=max(1, number(m.input_bricks)),
        input_granule=max(1, number(m.input_granule_kib)),
        sum_granule=max(1, number(m.sums_granule_kib)),
        first_channels=number(m.depth_first_channels),
        part_channels=number(m.part_kernel_channels),
        part_taps=number(m.part_kernel_taps),
        part_least=number(m.part_kernel_least_taps),
        part_grain=number(m.part_kernel_grain),
        largest=(number(m.largest_height), number(m.largest_width), number(m.largest_depth)),
    )


def up(value: Any, unit: Any) -> Any:
    """The next multiple of a unit."""
    return -(-value // unit) * unit


def span(outputs: Any, stride: int, side: int, dilation: int) -> Any:
    """Inputs along an axis that so many outputs read, of one piece of the window."""
    return (outputs - 1) * stride + min((side - 1) * dilation + 1, WINDOW)


def micro_of(shape: Shape, buffer: Buffer) -> tuple[int, int, int]:
    """The micro-block that pads the outputs least."""
    fit = [size for size, kinds in buffer.micro if not kinds or shape.kind in kinds] or [buffer.micro[0][0]]
    sizes = [np.prod([up(a, b) for a, b in zip(shape[1:4], size, strict=True)]) for size in fit]
    return fit[int(np.argmin(sizes))]


def input_unit(channels: int, micro: tuple[int, int, int], buffer: Buffer) -> tuple[int, int, int]:
    """Rows, columns and channels the input buffer is filled by: so many bricks of 16 channels, deep before wide."""
    deep = min(1 if channels <= SPLIT else 2 if channels <= 2 * SPLIT else 4, buffer.bricks)
    area = buffer.bricks // deep
    flat = micro[:2] == (1, 4)
    rows = {1: 1, 2: 1, 4: 1 if flat else 2, 8: 2}.get(area, 4)
    return rows, max(1, area // rows), SPLIT * deep
