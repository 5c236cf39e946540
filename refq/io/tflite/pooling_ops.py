"""Converters of pooling operators."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts
from refq.io.tflite.convolution_ops import padding, strides


def _pool(builder: Builder, op: Operation, layer: str) -> None:
    op.takes(1)
    size = (op.option("filter_height", 0), op.option("filter_width", 0))
    builder.emit(layer, op, [op.x], clamp=op.clamp, pool=size, strides=strides(op), padding=padding(op))


@converts("AVERAGE_POOL_2D")
def average_pool_2d(builder: Builder, op: Operation) -> None:
    _pool(builder, op, "AveragePool2D")


@converts("MAX_POOL_2D")
def max_pool_2d(builder: Builder, op: Operation) -> None:
    _pool(builder, op, "MaxPool2D")
