"""Converters of functions of one element, of softmax and of normalization along the last axis."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {"LOGISTIC": "Sigmoid", "TANH": "Tanh", "RELU": "Relu", "ELU": "Elu", "EXP": "Exp", "HARD_SWISH": "HardSwish"}


@converts(*_LAYERS)
def unary(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit(_LAYERS[op.kind], op, [op.x])


@converts("RELU6", "RELU_N1_TO_1")
def limited_relu(builder: Builder, op: Operation) -> None:
    """LiteRT rescales the codes, then limits them, as a fused activation does."""
    op.takes(1)
    limits = (0.0, 6.0) if op.kind == "RELU6" else (-1.0, 1.0)
    builder.emit("Requantize", op, [op.x], clamp=limits)


@converts("LEAKY_RELU")
def leaky_relu(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("Relu", op, [op.x], negative_slope=float(op.option("alpha", 0.0)))


@converts("PRELU")
def prelu(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Prelu", op, [op.x, op.input(1)])


@converts("GELU")
def gelu(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("Gelu", op, [op.x], approximate=bool(op.option("approximate", False)))


@converts("SOFTMAX")
def softmax(builder: Builder, op: Operation) -> None:
    op.takes(1)
    if op.option("beta", 0.0) != 1.0:
        raise op.refuse(f"beta={op.option('beta', 0.0)} has no rule, 1 is needed")
    builder.emit("Softmax", op, [op.x])


@converts("LOG_SOFTMAX")
def log_softmax(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("LogSoftmax", op, [op.x])


@converts("L2_NORMALIZATION")
def l2_normalization(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("L2Normalization", op, [op.x], clamp=op.clamp)
