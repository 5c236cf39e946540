"""Converters of functions of one element, of softmax and of normalization along the last axis."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {
    "ABS": "Abs",
    "COS": "Cos",
    "ELU": "Elu",
    "EXP": "Exp",
    "HARD_SWISH": "HardSwish",
    "LOG": "Log",
    "LOGISTIC": "Sigmoid",
    "LOG_SOFTMAX": "LogSoftmax",
    "RELU": "Relu",
    "RSQRT": "Rsqrt",
    "SIN": "Sin",
    "SQRT": "Sqrt",
    "SQUARE": "Square",
    "TANH": "Tanh",
}
_LIMITS = {"RELU6": (0.0, 6.0), "RELU_0_TO_1": (0.0, 1.0), "RELU_N1_TO_1": (-1.0, 1.0)}


@converts(*_LAYERS)
def unary(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit(_LAYERS[op.kind], op, [op.x])


@converts(*_LIMITS)
def limited_relu(builder: Builder, op: Operation) -> None:
    """LiteRT rescales the codes, then limits them, as a fused activation does."""
    op.takes(1)
    low, high = _LIMITS[op.kind]
    builder.emit("Clamp", op, [op.x], low=low, high=high)


@converts("NEG")
def negative(builder: Builder, op: Operation) -> None:
    """The kernel for codes turns their sign, whatever their grids."""
    op.takes(1)
    builder.emit("Negative", op, [op.x], of_codes=True)


@converts("LEAKY_RELU")
def leaky_relu(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("Relu", op, [op.x], negative_slope=float(op.option("alpha", 0.0)))


@converts("PRELU")
def prelu(builder: Builder, op: Operation) -> None:
    op.takes(2)
    if op.input(1).dtype == "int16" and op.input(1).qparams is not None:
        raise op.refuse("alphas of int16, which LiteRT reads as int8; write int8 alphas beside int16 inputs")
    builder.emit("Prelu", op, [op.x, op.input(1)])


@converts("GELU")
def gelu(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("Gelu", op, [op.x], approximate=bool(op.option("approximate", False)))


@converts("SOFTMAX")
def softmax(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("Softmax", op, [op.x], beta=float(op.option("beta", 0.0)))


@converts("L2_NORMALIZATION")
def l2_normalization(builder: Builder, op: Operation) -> None:
    op.takes(1)
    builder.emit("L2Normalization", op, [op.x], clamp=op.clamp)
