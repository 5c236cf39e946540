"""Converters of operators that reduce axes, or run along one."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts

_LAYERS = {
    "MEAN": "Mean",
    "SUM": "Sum",
    "REDUCE_PROD": "ReduceProd",
    "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin",
    "REDUCE_ANY": "ReduceAny",
    "REDUCE_ALL": "ReduceAll",
}
_PLACES = {"ARG_MAX": "ArgMax", "ARG_MIN": "ArgMin"}


@converts(*_LAYERS)
def reduction(builder: Builder, op: Operation) -> None:
    op.takes(2)
    if op.kind == "MEAN" and op.x.qparams is None and not op.x.is_real:
        raise op.refuse(f"a mean of {op.x.dtype} rounds towards zero, which has no rule; reals and codes are averaged")
    rank = len(op.x.shape)
    axes = tuple(sorted({axis % rank if -rank <= axis < rank else axis for axis in op.integers(1)}))
    builder.emit(_LAYERS[op.kind], op, [op.x], axes=axes, keepdims=bool(op.option("keep_dims", False)))


@converts(*_PLACES)
def place(builder: Builder, op: Operation) -> None:
    """Operands: x, axis; the output's type is that of its tensor."""
    op.takes(2)
    builder.emit(_PLACES[op.kind], op, [op.x], axis=_axis(op), output_type=op.y.dtype)


@converts("CUMSUM")
def cumsum(builder: Builder, op: Operation) -> None:
    op.takes(2)
    exclusive, reverse = bool(op.option("exclusive", False)), bool(op.option("reverse", False))
    builder.emit("Cumsum", op, [op.x], axis=_axis(op), exclusive=exclusive, reverse=reverse)


def _axis(op: Operation) -> int:
    axes = op.integers(1)
    if len(axes) != 1:
        raise op.refuse(f"one axis is needed, got {axes}")
    return axes[0]
