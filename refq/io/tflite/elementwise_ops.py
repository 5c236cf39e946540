"""Converters of operators on two or three operands, element by element."""

from __future__ import annotations

from typing import Any

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {
    "ADD": "Add",
    "SUB": "Subtract",
    "MUL": "Multiply",
    "DIV": "Divide",
    "MAXIMUM": "Maximum",
    "MINIMUM": "Minimum",
    "SQUARED_DIFFERENCE": "SquaredDifference",
    "EQUAL": "Equal",
    "NOT_EQUAL": "NotEqual",
    "GREATER": "Greater",
    "GREATER_EQUAL": "GreaterEqual",
    "LESS": "Less",
    "LESS_EQUAL": "LessEqual",
    "LOGICAL_AND": "LogicalAnd",
    "LOGICAL_OR": "LogicalOr",
}
_UNARY = {"FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "LOGICAL_NOT": "LogicalNot"}


@converts(*_LAYERS)
def binary(builder: Builder, op: Operation) -> None:
    op.takes(2)
    attrs: dict[str, Any] = {}
    if op.kind in ("ADD", "SUB") and op.x.dtype == "int16" and op.option("pot_scale_int16", False):
        attrs["shift_only"] = True
    if op.kind == "DIV" and op.x.qparams is None and not op.x.is_real:
        raise op.refuse(f"a division of {op.x.dtype} rounds towards zero, which has no rule; reals and codes have one")
    builder.emit(_LAYERS[op.kind], op, [op.x, op.input(1)], clamp=op.clamp, **attrs)


@converts(*_UNARY)
def unary(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit(_UNARY[op.kind], op, [op.x])


@converts("SELECT_V2")
def select(builder: Builder, op: Operation) -> None:
    op.takes(3)
    builder.emit("Select", op, [op.x, op.input(1), op.input(2)])


@converts("SELECT")
def select_rows(builder: Builder, op: Operation) -> None:
    """A condition of one axis chooses along the leading axis of the others."""
    op.takes(3)
    condition, a, b = op.x, op.input(1), op.input(2)
    if condition.shape in ((), a.shape):
        builder.emit("Select", op, [condition, a, b])
        return
    if condition.shape != a.shape[:1] or a.shape != b.shape:
        raise ShapeError(f"{op.kind} {op.name!r}: shapes {condition.shape}, {a.shape} and {b.shape} do not fit")
    rows = builder.tensor(f"{op.y.name}/rows", None, condition.dtype)
    shape = (-1, *(1,) * (len(a.shape) - 1))
    rows = builder.emit("Reshape", op, [condition], rows, name=f"{op.name}/rows", shape=shape)
    builder.emit("Select", op, [rows, a, b])
