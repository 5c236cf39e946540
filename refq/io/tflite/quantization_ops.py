"""Converters of the doors between reals and codes, and between element types."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts


@converts("QUANTIZE")
def quantize(builder: Builder, op: Operation) -> None:
    """Between integer types a requantization; at a real tensor that has the grid already, nothing."""
    op.takes(1)
    x = op.x
    if x.qparams == op.y.qparams:
        builder.emit("Identity", op, [x])
    else:
        builder.emit("Requantize", op, [x], through_reals=x.is_real)


@converts("DEQUANTIZE")
def dequantize(builder: Builder, op: Operation) -> None:
    """A real tensor with the grid it came from; weights stored in few bits stay constants."""
    op.takes(1)
    x = op.x
    if x.data is not None:
        builder.define(op.y, x.data if x.qparams is not None else x.data.astype(np.float32), x.qparams)
        return
    builder.emit("Identity", op, [x], replace(op.y, qparams=x.qparams))


@converts("CAST")
def cast(builder: Builder, op: Operation) -> None:
    op.takes(1)
    if op.x.qparams is not None or op.y.qparams is not None:
        raise op.refuse("casts codes as if they were numbers; QUANTIZE or DEQUANTIZE is meant")
    builder.emit("Cast", op, [op.x], to=op.y.dtype)
