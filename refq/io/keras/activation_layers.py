"""Activations, as layers and as arguments of layers."""

from __future__ import annotations

from typing import Any

from refq.errors import UnsupportedError
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts

_SIMPLE: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "relu6": ("Relu", {"max_value": 6.0}),
    "leaky_relu": ("Relu", {"negative_slope": 0.2}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softmax": ("Softmax", {}),
    "log_softmax": ("LogSoftmax", {}),
    "silu": ("Swish", {}),
    "swish": ("Swish", {}),
    "hard_silu": ("HardSwish", {}),
    "hard_swish": ("HardSwish", {}),
    "gelu": ("Gelu", {}),
    "exponential": ("Exp", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "mish": ("Mish", {}),
}


def activate(builder: Builder, x: Tensor, activation: Any, name: str, output: str, major: int) -> Tensor:
    """Emit an activation given by name; a linear one passes `x` through.

    Raises
    ------
    UnsupportedError    an activation without a layer, or a custom one
    """
    if isinstance(activation, dict):
        if activation.get("class_name") == "ReLU":
            return builder.emit("Relu", name, [x], output, **_relu(activation["config"]))
        activation = activation.get("config")
    if activation in (None, "linear"):
        return x
    if activation == "hard_sigmoid":
        # Keras 3 computes relu6(x + 3) / 6, Keras 2 clip(0.2 x + 0.5, 0, 1).
        attrs = {} if major >= 3 else {"slope": 0.2}
        return builder.emit("HardSigmoid", name, [x], output, **attrs)
    if not isinstance(activation, str) or activation not in _SIMPLE:
        raise UnsupportedError(f"activation {activation!r} of {name.rpartition('/')[0]!r} has no converter")
    op, attrs = _SIMPLE[activation]
    return builder.emit(op, name, [x], output, **attrs)


@converts("Activation")
def activation(builder: Builder, call: Call) -> Tensor:
    return activate(builder, call.x, call.config["activation"], call.name, call.name, call.major)


def _relu(config: dict[str, Any]) -> dict[str, Any]:
    limit = config.get("max_value")
    return {
        "max_value": None if limit is None else float(limit),
        "negative_slope": _number(config.get("negative_slope", 0.0)),
        "threshold": _number(config.get("threshold", 0.0)),
    }


def _number(value: Any) -> float:
    """A float that some writers wrap as {"class_name": "__numpy__", "config": {"value": v}}."""
    if isinstance(value, dict):
        inner = value.get("config", value)
        value = inner.get("value", inner) if isinstance(inner, dict) else inner
    return float(value or 0.0)


@converts("ReLU")
def relu(builder: Builder, call: Call) -> Tensor:
    return builder.emit("Relu", call.name, [call.x], **_relu(call.config))


@converts("LeakyReLU")
def leaky_relu(builder: Builder, call: Call) -> Tensor:
    slope = call.config.get("negative_slope", call.config.get("alpha", 0.3))
    return builder.emit("Relu", call.name, [call.x], negative_slope=_number(slope))


@converts("ThresholdedReLU")
def thresholded_relu(builder: Builder, call: Call) -> Tensor:
    return builder.emit("Relu", call.name, [call.x], threshold=_number(call.config.get("theta", 1.0)))


@converts("PReLU")
def prelu(builder: Builder, call: Call) -> Tensor:
    shape = list(call.x.shape[1:])
    for axis in call.config.get("shared_axes") or ():
        shape[axis - 1] = 1
    alpha = builder.weight(call, 0, "alpha", tuple(shape))
    return builder.emit("Prelu", call.name, [call.x, alpha])


@converts("ELU")
def elu(builder: Builder, call: Call) -> Tensor:
    return builder.emit("Elu", call.name, [call.x], alpha=_number(call.config.get("alpha", 1.0)))


@converts("Softmax")
def softmax(builder: Builder, call: Call) -> Tensor:
    axis = call.config.get("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    if len(axes) != 1:
        raise UnsupportedError(f"Softmax {call.layer!r} over several axes {axes} has no converter")
    return builder.emit("Softmax", call.name, [call.x], axis=int(axes[0]))
