"""Converters of operators that resize images."""

from __future__ import annotations

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearest"}


@converts(*_LAYERS)
def resize(builder: Builder, op: Operation) -> None:
    op.takes(2)
    size = op.integers(1)
    if len(size) != 2 or min(size) < 1:
        raise ShapeError(f"{op.kind} {op.name!r}: size {size} must be (height, width)")
    builder.emit(
        _LAYERS[op.kind],
        op,
        [op.x],
        size=size,
        align_corners=bool(op.option("align_corners", False)),
        half_pixel_centers=bool(op.option("half_pixel_centers", False)),
    )
