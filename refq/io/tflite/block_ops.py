"""Converters of operators that exchange blocks of the image with channels or with the batch.

Each is a reshape into blocks, a transpose, and a reshape back; the margin or the crop is a node of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operand, Operation
from refq.io.tflite.converters import converts


class _Chain:
    """Nodes of one operator in a row; the last writes the operator's output."""

    def __init__(self, builder: Builder, op: Operation, steps: int) -> None:
        self.builder, self.op, self.left, self.x = builder, op, steps, op.x

    def then(self, layer: str, step: str, **attrs: Any) -> None:
        self.left -= 1
        name, output = self.op.name, self.op.y
        if self.left:
            name = f"{name}/{step}"
            output = self.builder.tensor(f"{self.op.y.name}/{step}", self.x.qparams, self.x.dtype)
        self.x: Operand = self.builder.emit(layer, self.op, [self.x], output, name=name, **attrs)


def _image(op: Operation) -> tuple[int, int, int, int]:
    shape, block = op.x.shape, op.option("block_size", 0)
    if len(shape) != 4 or block < 1:
        raise ShapeError(
            f"{op.kind} {op.name!r}: block_size {block} and input shape {shape} must be >= 1 and (N, H, W, C)"
        )
    return shape[1], shape[2], shape[3], block


@converts("SPACE_TO_DEPTH")
def space_to_depth(builder: Builder, op: Operation) -> None:
    op.takes(1)
    height, width, channels, b = _image(op)
    if height % b or width % b:
        raise ShapeError(f"{op.kind} {op.name!r}: input shape {op.x.shape} is not a multiple of block_size {b}")
    chain = _Chain(builder, op, 3)
    chain.then("Reshape", "blocks", shape=(0, height // b, b, width // b, b, channels))
    chain.then("Transpose", "turned", perm=(0, 1, 3, 2, 4, 5))
    chain.then("Reshape", "merged", shape=(0, height // b, width // b, b * b * channels))


@converts("DEPTH_TO_SPACE")
def depth_to_space(builder: Builder, op: Operation) -> None:
    op.takes(1)
    height, width, channels, b = _image(op)
    if channels % (b * b):
        raise ShapeError(f"{op.kind} {op.name!r}: {channels} channels are not a multiple of block_size {b} squared")
    chain = _Chain(builder, op, 3)
    chain.then("Reshape", "blocks", shape=(0, height, width, b, b, channels // (b * b)))
    chain.then("Transpose", "turned", perm=(0, 1, 3, 2, 4, 5))
    chain.then("Reshape", "merged", shape=(0, height * b, width * b, channels // (b * b)))


def _blocks(op: Operation) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Block sizes and (before, after) of the axes behind the batch."""
    op.takes(3)
    blocks, amounts = op.integers(1), op.constant(2)
    count = len(blocks)
    if count not in (1, 2) or len(op.x.shape) != count + 2 or amounts.shape != (count, 2) or min(blocks) < 1:
        raise ShapeError(f"{op.kind} {op.name!r}: blocks {blocks}, amounts {amounts.shape}, input shape {op.x.shape}")
    return blocks, [(int(before), int(after)) for before, after in amounts]


@converts("SPACE_TO_BATCH_ND")
def space_to_batch(builder: Builder, op: Operation) -> None:
    """The batch becomes block positions times batch, positions outermost; the margin holds zero."""
    blocks, margins = _blocks(op)
    sizes = [size + sum(margin) for size, margin in zip(op.x.shape[1:-1], margins, strict=True)]
    if any(size % block for size, block in zip(sizes, blocks, strict=True)):
        raise ShapeError(f"{op.kind} {op.name!r}: padded sizes {sizes} are not multiples of the blocks {blocks}")
    count, channels = len(blocks), op.x.shape[-1]
    tiles = [size // block for size, block in zip(sizes, blocks, strict=True)]
    chain = _Chain(builder, op, 4)
    chain.then("Pad", "padded", paddings=((0, 0), *margins, (0, 0)))
    chain.then("Reshape", "blocks", shape=(0, *_pairs(tiles, blocks), channels))
    chain.then("Transpose", "turned", perm=(*range(2, 2 * count + 1, 2), 0, *range(1, 2 * count, 2), 2 * count + 1))
    chain.then("Reshape", "merged", shape=(-1, *tiles, channels))


@converts("BATCH_TO_SPACE_ND")
def batch_to_space(builder: Builder, op: Operation) -> None:
    blocks, crops = _blocks(op)
    count, tiles, channels = len(blocks), op.x.shape[1:-1], op.x.shape[-1]
    if op.x.shape[0] % prod(blocks):
        raise ShapeError(f"{op.kind} {op.name!r}: batch {op.x.shape[0]} is not a multiple of the blocks {blocks}")
    sizes = [tile * block for tile, block in zip(tiles, blocks, strict=True)]
    chain = _Chain(builder, op, 4)
    chain.then("Reshape", "blocks", shape=(*blocks, -1, *tiles, channels))
    order = [axis for i in range(count) for axis in (count + 1 + i, i)]
    chain.then("Transpose", "turned", perm=(count, *order, 2 * count + 1))
    chain.then("Reshape", "merged", shape=(0, *sizes, channels))
    begin = (None, *(before or None for before, _ in crops), None)
    end = (None, *(size - after for size, (_, after) in zip(sizes, crops, strict=True)), None)
    chain.then("Slice", "cropped", begin=begin, end=end)


def _pairs(outer: Sequence[int], inner: Sequence[int]) -> list[int]:
    return [size for pair in zip(outer, inner, strict=True) for size in pair]
