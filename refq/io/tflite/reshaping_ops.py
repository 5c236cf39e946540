"""Converters of the operators that move elements."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

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


@converts("SHAPE")
def shape_op(builder: Builder, op: Operation) -> None:
    """Known when the file is read; where it becomes the target of a RESHAPE, the batch stays free."""
    op.takes(1)
    builder.define(op.y, np.array(op.x.shape, op.y.dtype))


@converts("SQUEEZE")
def squeeze(builder: Builder, op: Operation) -> None:
    op.takes(1)
    shape, rank = op.x.shape, len(op.x.shape)
    axes = {axis % rank if -rank <= axis < rank else axis for axis in op.option("squeeze_dims", ())}
    axes = axes or {axis for axis, size in enumerate(shape) if size == 1}
    if any(not 0 <= axis < rank or shape[axis] != 1 for axis in axes):
        raise ShapeError(f"{op.kind} {op.name!r}: axes {sorted(axes)} of input shape {shape} are not of size 1")
    reshape(builder, op, op.x, tuple(size for axis, size in enumerate(shape) if axis not in axes))


@converts("EXPAND_DIMS")
def expand_dims(builder: Builder, op: Operation) -> None:
    op.takes(2)
    axis, rank = op.integers(1), len(op.x.shape)
    if len(axis) != 1 or not -rank - 1 <= axis[0] <= rank:
        raise ShapeError(f"{op.kind} {op.name!r}: axis {axis} does not fit input shape {op.x.shape}")
    target = list(op.x.shape)
    target.insert(axis[0] % (rank + 1), 1)
    reshape(builder, op, op.x, tuple(target))


@converts("TRANSPOSE")
def transpose(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Transpose", op, [op.x], perm=op.integers(1))


@converts("CONCATENATION")
def concatenation(builder: Builder, op: Operation) -> None:
    inputs = [op.input(i) for i in range(len(op.inputs))]
    rank, axis = len(op.x.shape), op.option("axis", 0)
    if not -rank <= axis < rank:
        raise ShapeError(f"{op.kind} {op.name!r}: axis {axis} does not fit input shape {op.x.shape}")
    builder.emit("Concatenate", op, inputs, clamp=op.clamp, axis=axis)


@converts("PACK")
def pack(builder: Builder, op: Operation) -> None:
    """Each input gets the new axis, then they are joined along it."""
    rank, axis = len(op.x.shape) + 1, op.option("axis", 0)
    if not -rank <= axis < rank:
        raise ShapeError(f"{op.kind} {op.name!r}: axis {axis} does not fit input shape {op.x.shape}")
    axis %= rank
    grown: list[Operand | None] = []
    for i in range(len(op.inputs)):
        x = op.input(i)
        shape = (0, *x.shape[1:axis], 1, *x.shape[axis:]) if axis else (1, *([-1] if x.shape else []), *x.shape[1:])
        part = builder.tensor(f"{op.y.name}/{i}", x.qparams, x.dtype)
        grown.append(builder.emit("Reshape", op, [x], part, name=f"{op.name}/{i}", shape=shape))
    builder.emit("Concatenate", op, grown, axis=axis)


@converts("PAD", "PADV2", "MIRROR_PAD")
def pad(builder: Builder, op: Operation) -> None:
    """PADV2 states the value of the margin, a code on the input's grid where there is one."""
    op.takes(3 if op.kind == "PADV2" else 2)
    amounts = op.constant(1)
    if amounts.ndim != 2 or amounts.shape != (len(op.x.shape), 2):
        raise ShapeError(f"{op.kind} {op.name!r}: paddings of shape {amounts.shape} for input shape {op.x.shape}")
    attrs: dict[str, Any] = {"paddings": tuple((int(a), int(b)) for a, b in amounts)}
    if op.kind == "MIRROR_PAD":
        attrs["mode"] = str(op.option("mode", "REFLECT")).lower()
    if op.kind == "PADV2":
        value, grid = op.constant(2).reshape(-1)[0], op.x.qparams
        attrs["value"] = float(value) if grid is None else float(grid.scale) * (int(value) - int(grid.zero_point))
    builder.emit("Pad", op, [op.x], **attrs)
