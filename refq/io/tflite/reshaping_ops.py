"""Converters of the operators that move elements."""

from __future__ import annotations

from math import prod

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operand, Operation
from refq.io.tflite.converters import converts


def reshape(builder: Builder, op: Operation, x: Operand, target: tuple[int, ...]) -> None:
    """Emit a Reshape for any batch: the leading size is the input's, or what the others leave."""
    if target.count(-1) == 1:
        known = -prod(target)
        target = tuple(prod(x.shape) // known if size == -1 and known else size for size in target)
    if prod(target) != prod(x.shape) or any(size < 1 for size in target):
        raise ShapeError(f"{op.kind} {op.name!r}: input shape {x.shape} cannot take the shape {target}")
    if target:
        keeps = bool(x.shape) and target[0] == x.shape[0]
        target = (0 if keeps else -1, *target[1:])
    builder.emit("Reshape", op, [x], shape=target)


@converts("RESHAPE")
def reshape_op(builder: Builder, op: Operation) -> None:
    """The shape is the second operand, or an option of old files, or that of the output where it is computed."""
    op.takes(1, 2)
    shape = op.optional(1)
    if shape is not None and shape.data is not None:
        target = op.integers(1)
    elif shape is None and "new_shape" in op.options:
        target = tuple(op.options["new_shape"])
    else:
        target = op.y.shape
    reshape(builder, op, op.x, target)
