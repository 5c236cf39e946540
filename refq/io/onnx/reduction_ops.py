"""Reductions over axes."""

from __future__ import annotations

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.layout import to_last

_PLAIN = {
    "ReduceMean": "Mean",
    "ReduceMax": "ReduceMax",
    "ReduceMin": "ReduceMin",
    "ReduceSum": "Sum",
    "ReduceProd": "ReduceProd",
}
_COMPOSED = {
    "ReduceL1": ("Abs", None),
    "ReduceL2": ("Square", "Sqrt"),
    "ReduceSumSquare": ("Square", None),
    "ReduceLogSum": (None, "Log"),
}
"""Sums with a function before, and one behind."""


def _axes(call: Call) -> tuple[int, ...]:
    """The reduced axes, counted from the front; () for an operator that reduces nothing."""
    rank, given = call.x.rank, call.constant(1, "axes")
    if given is None or given.size == 0:
        return () if call.attrs.get("noop_with_empty_axes", 0) else tuple(range(rank))
    if np.any((given < -rank) | (given >= rank)):
        raise ShapeError(f"axes {given.tolist()} do not exist in input shape {call.x.shape}")
    return tuple(int(axis) % rank for axis in given.reshape(-1))


def _reduced(b: Builder, call: Call, layer: str, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    keepdims = bool(call.attrs.get("keepdims", 1))
    if x.is_nhwc:
        order = to_last(x.rank)
        left = [axis for axis in order if axis not in axes]
        if keepdims or left == sorted(left):
            held = tuple(order.index(axis) for axis in axes)
            return b.emit(layer, call, [x], is_nhwc=keepdims, axes=held, keepdims=keepdims)
    return b.emit(layer, call, [b.file_order(x)], axes=axes, keepdims=keepdims)


@converts(*_PLAIN)
def _plain(b: Builder, call: Call) -> Tensor:
    axes = _axes(call)
    if not axes and call.x.rank:
        return b.identity(call, call.x)
    return _reduced(b, call, _PLAIN[call.op], call.x, axes)


@converts(*_COMPOSED)
def _composed(b: Builder, call: Call) -> Tensor:
    axes, x, (before, behind) = _axes(call), b.file_order(call.x), _COMPOSED[call.op]
    if not axes and x.rank:
        raise UnsupportedError("noop_with_empty_axes without axes, whose meaning depends on the operator set")
    if before is not None:
        x = b.step(before, b.unique(f"{call.outputs[0]}/terms"), [x])
    if behind is None:
        return _reduced(b, call, "Sum", x, axes)
    keepdims = bool(call.attrs.get("keepdims", 1))
    total = b.step("Sum", b.unique(f"{call.outputs[0]}/total"), [x], axes=axes, keepdims=keepdims)
    return b.emit(behind, call, [total])
