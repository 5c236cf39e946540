"""Converters of operators that reduce axes."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {"MEAN": "Mean", "REDUCE_MAX": "ReduceMax"}


@converts(*_LAYERS)
def reduction(builder: Builder, op: Operation) -> None:
    op.takes(2)
    rank = len(op.x.shape)
    axes = tuple(sorted({axis % rank if -rank <= axis < rank else axis for axis in op.integers(1)}))
    builder.emit(_LAYERS[op.kind], op, [op.x], axes=axes, keepdims=bool(op.option("keep_dims", False)))
