"""Functions written as operators or calls of keras.ops and TensorFlow, which the writers wrap as layers."""

from __future__ import annotations

from typing import Any

from refq.errors import UnsupportedError
from refq.io.keras.activation_layers import activate
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts


@converts("GetItem", "tf.__operators__.getitem")
def get_item(builder: Builder, call: Call) -> Tensor:
    """x[key] with slices and integers; integers drop their axis."""
    x, key = call.inputs[0], call.kwargs.get("key", call.args[1] if len(call.args) > 1 else None)
    key = call.kwargs.get("slice_spec", key)
    parts = [_as_slice(part) for part in (key if isinstance(key, list) else [key])]
    if any(part is None for part in parts):
        raise UnsupportedError(f"{call.kind} {call.layer!r} with index {key!r} has no converter")
    parts += [slice(None)] * (len(x.shape) - len(parts))
    begin, end, strides, squeeze = [], [], [], []
    for axis, part in enumerate(parts):
        if isinstance(part, int):
            begin.append(part)
            end.append(part + 1 if part != -1 else None)
            strides.append(1)
            squeeze.append(axis)
        else:
            begin.append(part.start)
            end.append(part.stop)
            strides.append(part.step or 1)
    return builder.emit(
        "Slice", call.name, [x], begin=tuple(begin), end=tuple(end), strides=tuple(strides), squeeze=tuple(squeeze)
    )


def _as_slice(part: Any) -> Any:
    if isinstance(part, dict) and {"start", "stop"} <= set(part):
        return slice(part["start"], part["stop"], part.get("step"))
    return part if isinstance(part, slice | int) else None


@converts("Mean", "tf.math.reduce_mean")
def mean(builder: Builder, call: Call) -> Tensor:
    axis = call.config.get("axis", call.kwargs.get("axis"))
    axes = tuple(range(len(call.inputs[0].shape))) if axis is None else axis
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    keepdims = bool(call.config.get("keepdims", call.kwargs.get("keepdims", False)))
    return builder.emit("Mean", call.name, [call.inputs[0]], axes=axes, keepdims=keepdims)


_FUNCTIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Gelu": "gelu",
    "Softplus": "softplus",
    "tf.nn.relu": "relu",
    "tf.nn.relu6": "relu6",
    "tf.nn.silu": "silu",
    "tf.nn.swish": "silu",
    "tf.math.sigmoid": "sigmoid",
    "tf.nn.softmax": "softmax",
    "tf.math.tanh": "tanh",
}


@converts(*_FUNCTIONS)
def function(builder: Builder, call: Call) -> Tensor:
    return activate(builder, call.inputs[0], _FUNCTIONS[call.kind], call.name, call.name, call.major)
