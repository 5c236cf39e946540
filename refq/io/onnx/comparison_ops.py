"""Comparisons, logic on their results, and the choice by a condition; all in the file's order of axes."""

from __future__ import annotations

from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts

_BINARY = {
    "Equal": "Equal",
    "Greater": "Greater",
    "GreaterOrEqual": "GreaterEqual",
    "Less": "Less",
    "LessOrEqual": "LessEqual",
    "And": "LogicalAnd",
    "Or": "LogicalOr",
    "Xor": "NotEqual",
}


@converts(*_BINARY)
def _compare(b: Builder, call: Call) -> Tensor:
    x, y = b.file_order(call.x), b.file_order(call.input(1))
    return b.emit(_BINARY[call.op], call, [x, y], is_nhwc=False, dtype="bool")


@converts("Not")
def _not(b: Builder, call: Call) -> Tensor:
    return b.emit("LogicalNot", call, [b.file_order(call.x)], is_nhwc=False, dtype="bool")


@converts("Where")
def _where(b: Builder, call: Call) -> Tensor:
    condition, x, y = (b.file_order(call.input(i)) for i in range(3))
    return b.emit("Select", call, [condition, x, y], is_nhwc=False, dtype=x.dtype)
