"""Converters of functions of one element, and of softmax."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {"LOGISTIC": "Sigmoid", "TANH": "Tanh", "RELU": "Relu", "ELU": "Elu", "EXP": "Exp", "HARD_SWISH": "HardSwish"}


@converts(*_LAYERS)
def unary(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit(_LAYERS[op.kind], op, [op.x])


@converts("SOFTMAX")
def softmax(builder: Builder, op: Operation) -> None:
    op.takes(1)
    if op.option("beta", 0.0) != 1.0:
        raise op.refuse(f"beta={op.option('beta', 0.0)} has no rule, 1 is needed")
    builder.emit("Softmax", op, [op.x])
