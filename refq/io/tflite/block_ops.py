"""Converters of operators that exchange blocks of the image with channels or with the batch."""

from __future__ import annotations

from typing import Any

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_DEPTH = {"SPACE_TO_DEPTH": "SpaceToDepth", "DEPTH_TO_SPACE": "DepthToSpace"}
_BATCH = {"SPACE_TO_BATCH_ND": ("SpaceToBatch", "paddings"), "BATCH_TO_SPACE_ND": ("BatchToSpace", "crops")}


@converts(*_DEPTH)
def depth(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit(_DEPTH[op.kind], op, [op.x], block=int(op.option("block_size", 0)))


@converts(*_BATCH)
def batch(builder: Builder, op: Operation) -> None:
    """Operands: x, block sizes of the axes behind the batch, (before, after) of each."""
    op.takes(3)
    block, amounts = op.integers(1), op.constant(2)
    count = len(block)
    if count not in (1, 2) or len(op.x.shape) != count + 2 or amounts.shape != (count, 2):
        raise ShapeError(f"{op.kind} {op.name!r}: blocks {block}, amounts {amounts.shape}, input shape {op.x.shape}")
    layer, name = _BATCH[op.kind]
    attrs: dict[str, Any] = {name: tuple((int(before), int(after)) for before, after in amounts)}
    builder.emit(layer, op, [op.x], block=block, **attrs)
