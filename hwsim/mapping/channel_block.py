"""Blocks of layers whose channels go alone, where inputs and sums have buffers of their own.

Pooling and depthwise blocks cut the image into as few pieces as possible, then the depth:

    cost = pieces of the image * (1 + |1 - depth / block's depth| / 10) * (1 + unused share of the input's bricks / 10)

with room for one more row of micro-blocks of input unless a single block does all; of equal ones the one that reads
least is taken. Elementwise blocks fill the output buffer, whole rows first.
"""

from __future__ import annotations

import numpy as np

from hwsim.mapping.block_shape import SPLIT, Block, Buffer, Shape, input_unit, micro_of, span, up


def channel_block(shape: Shape, buffer: Buffer) -> Block:
    """The output block of a pooling, depthwise or elementwise layer."""
    micro = micro_of(shape, buffer)
    return _elementwise(shape, buffer, micro) if shape.kind == "elementwise" else _widest(shape, buffer, micro)


def _widest(shape: Shape, buffer: Buffer, micro: tuple[int, int, int]) -> Block:
    grain = (*micro[:2], SPLIT)
    ends = [up(min(a, b), u) for a, b, u in zip(buffer.largest, shape[1:4], grain, strict=True)]
    axes = (np.arange(u, end + 1, u) for u, end in zip((grain[2], *grain[:2]), (ends[2], *ends[:2]), strict=True))
    d, h, w = np.meshgrid(*axes, indexing="ij")
    units = np.array([input_unit(int(depth), micro, buffer) for depth in d[:, 0, 0]])
    tall, wide, deep = (units[:, axis][:, None, None] for axis in range(3))
    rows = up(span(h, shape.stride[0], shape.window[0], shape.dilation[0]), tall)
    columns = up(span(w, shape.stride[1], shape.window[1], shape.dilation[1]), wide)
    channels = up(d, deep)
    held = rows * columns * channels
    more = up(span(micro[0], shape.stride[0], shape.window[0], shape.dilation[0]), tall) * columns * channels
    whole = (h >= shape.height) & (w >= shape.width) & (d >= shape.depth)
    everything = up(shape.rows, tall) * up(shape.columns, wide) * up(shape.channels, deep)
    fits = np.where(whole, np.minimum(held, everything), held + more) <= buffer.inputs
    fits &= h * w * d * 4 <= buffer.sums
    fits &= d <= max(_macs(buffer), buffer.sums // 4 // (micro[0] * micro[1] * SPLIT))
    image = -(-shape.height // h) * -(-shape.width // w)
    moved = np.minimum(rows, shape.rows) * np.minimum(columns, shape.columns) * image
    rest = d % deep
    unused = np.where(rest == 0, 0, deep - rest) / deep
    cost = (
        (image + 1e-3 * moved / (shape.rows * shape.columns)) * (1 + np.abs(1 - ends[2] / d) / 10) * (1 + unused / 10)
    )
    if not fits.any():
        fits = (h == grain[0]) & (w == grain[1]) & (d == SPLIT)
    best = np.unravel_index(np.argmin(np.where(fits, cost, np.inf)), cost.shape)
    height, width, depth, *held = (int(a[best]) for a in (h, w, d, rows, columns, channels))
    return Block(height, width, depth, held[0], held[1], held[2], micro, False)


def _macs(buffer: Buffer) -> int:
    return max(8 * size[0] * size[1] * size[2] for size, _ in buffer.micro)


def _elementwise(shape: Shape, buffer: Buffer, micro: tuple[int, int, int]) -> Block:
    columns = buffer.outputs // SPLIT
    height = min(up(shape.height, micro[0]), buffer.largest[0])
    wanted = min(up(shape.width, micro[1]), columns, buffer.largest[1])
    deeper = min(columns // max(wanted, micro[1]), min(up(shape.depth, SPLIT), buffer.largest[2]) // SPLIT)
    width, depth = (columns // deeper, SPLIT * deeper) if deeper >= 2 else (columns, SPLIT)
    width = up(max(width, 1), micro[1])
    return Block(height, width, depth, height, width, depth, micro, False)
