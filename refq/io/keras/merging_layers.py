"""Layers and operators with several inputs; an operand may be a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts


def operands(builder: Builder, call: Call) -> list[Tensor]:
    """The operands of a merge layer or an operator: tensors as they are, numbers as constants."""
    flat: list[Any] = []
    for value in [*call.args, *(call.kwargs.get(key) for key in ("x2", "y") if call.kwargs.get(key) is not None)]:
        flat += value if isinstance(value, list) and any(isinstance(item, Tensor) for item in value) else [value]
    return [
        value
        if isinstance(value, Tensor)
        else builder.constant(f"{call.name}/constant{'' if i < 2 else i}", np.asarray(value, np.float32))
        for i, value in enumerate(flat)
    ]


def _chain(op: str) -> Callable[[Builder, Call], Tensor]:
    """A layer of any number of inputs as a chain of two-operand nodes."""

    def convert(builder: Builder, call: Call) -> Tensor:
        y, *rest = operands(builder, call)
        for i, other in enumerate(rest):
            name = call.name if i == len(rest) - 1 else f"{call.name}/{i}"
            y = builder.emit(op, name, [y, other])
        return y

    return convert


for _op, _kinds in {
    "Add": ("Add", "tf.__operators__.add", "tf.math.add"),
    "Subtract": ("Subtract", "tf.math.subtract"),
    "Multiply": ("Multiply", "tf.math.multiply"),
    "Divide": ("TrueDivide", "Divide", "tf.math.truediv", "tf.math.divide"),
    "Maximum": ("Maximum", "tf.math.maximum"),
    "Minimum": ("Minimum", "tf.math.minimum"),
}.items():
    converts(*_kinds)(_chain(_op))


@converts("Average")
def average(builder: Builder, call: Call) -> Tensor:
    return builder.emit("Average", call.name, list(operands(builder, call)))


@converts("Concatenate", "tf.concat")
def concatenate(builder: Builder, call: Call) -> Tensor:
    axis = call.config.get("axis", call.kwargs.get("axis", -1))
    return builder.emit("Concatenate", call.name, list(call.inputs), axis=int(axis))


@converts("Dot")
def dot(builder: Builder, call: Call) -> Tensor:
    """Contraction of one axis of each of two tensors with a shared batch."""
    axes = call.config["axes"]
    a, b = call.inputs
    first, second = (axes, axes) if isinstance(axes, int) else (int(axes[0]), int(axes[1]))
    if call.config.get("normalize"):
        a = builder.emit("L2Normalization", f"{call.name}/unit_a", [a], axis=(first,))
        b = builder.emit("L2Normalization", f"{call.name}/unit_b", [b], axis=(second,))
    first, second = first % len(a.shape), second % len(b.shape)
    if len(a.shape) > 3 or len(b.shape) > 3:
        raise UnsupportedError(f"Dot {call.layer!r} of tensors with more than 3 axes has no converter")
    rows = [axis for axis in range(1, len(a.shape)) if axis != first]
    columns = [axis for axis in range(1, len(b.shape)) if axis != second]
    left, right = a, b
    if not rows:
        left = builder.emit("Reshape", f"{call.name}/row", [a], shape=(0, 1, -1))
    if not columns:
        right = builder.emit("Reshape", f"{call.name}/column", [b], shape=(0, -1, 1))
    y = builder.emit(
        "BatchMatMul",
        call.name if rows and columns else f"{call.name}/product",
        [left, right],
        adj_a=bool(rows) and first == 1,
        adj_b=bool(columns) and second == 2,
    )
    if rows and columns:
        return y
    kept = [a.shape[axis] for axis in rows] + [b.shape[axis] for axis in columns]
    return builder.emit("Reshape", f"{call.name}/shape", [y], call.name, shape=(0, *(kept or [1])))
