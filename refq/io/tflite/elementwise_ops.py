"""Converters of operators on two operands, element by element."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {
    "ADD": "Add",
    "SUB": "Subtract",
    "MUL": "Multiply",
    "DIV": "Divide",
    "MAXIMUM": "Maximum",
    "MINIMUM": "Minimum",
}


@converts(*_LAYERS)
def binary(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit(_LAYERS[op.kind], op, [op.x, op.input(1)], clamp=op.clamp)
