"""Functions of one element, and softmax."""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.layout import last_axis

_PLAIN = {
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Exp": "Exp",
    "Mish": "Mish",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "HardSwish": "HardSwish",
    "Round": "Round",
    "Ceil": "Ceil",
    "Floor": "Floor",
    "Abs": "Abs",
    "Neg": "Negative",
    "Sqrt": "Sqrt",
    "Log": "Log",
    "Erf": "Erf",
    "Sin": "Sin",
    "Cos": "Cos",
}


@converts(*_PLAIN)
def _plain(b: Builder, call: Call) -> Tensor:
    return b.emit(_PLAIN[call.op], call, [call.x])


@converts("Clip")
def _clip(b: Builder, call: Call) -> Tensor:
    low, high = call.constant(1, "min"), call.constant(2, "max")
    limits = (-inf if low is None else float(low.reshape(-1)[0]), inf if high is None else float(high.reshape(-1)[0]))
    if limits[0] == 0 and limits[1] >= 0:
        return b.emit("Relu", call, [call.x], max_value=None if limits[1] == inf else limits[1])
    return b.emit("Identity", call, [call.x], clamp=limits)


@converts("LeakyRelu")
def _leaky_relu(b: Builder, call: Call) -> Tensor:
    return b.emit("Relu", call, [call.x], negative_slope=float(call.attrs.get("alpha", 0.01)))


@converts("ThresholdedRelu")
def _thresholded_relu(b: Builder, call: Call) -> Tensor:
    above = np.nextafter(np.float32(call.attrs.get("alpha", 1.0)), np.float32(inf))  # alpha itself gives 0
    return b.emit("Relu", call, [call.x], threshold=float(above))


@converts("PRelu")
def _prelu(b: Builder, call: Call) -> Tensor:
    x, slope = call.x, call.input(1)
    if slope.value is None:
        return b.emit("Prelu", call, [b.file_order(x), b.file_order(slope)])
    return b.emit("Prelu", call, [x, b.beside(x, slope)])


@converts("Elu")
def _elu(b: Builder, call: Call) -> Tensor:
    return b.emit("Elu", call, [call.x], alpha=float(call.attrs.get("alpha", 1.0)))


@converts("Selu")
def _selu(b: Builder, call: Call) -> Tensor:
    alpha, gamma = float(call.attrs.get("alpha", 1.67326324)), float(call.attrs.get("gamma", 1.05070098))
    if abs(alpha - 1.67326324) < 1e-6 and abs(gamma - 1.05070098) < 1e-6:
        return b.emit("Selu", call, [call.x])
    factor = Tensor(name=b.unique(f"{call.outputs[0]}/gamma"), shape=(), value=np.asarray(gamma, np.float32))
    bent = b.step("Elu", b.unique(f"{call.outputs[0]}/elu"), [call.x], is_nhwc=call.x.is_nhwc, alpha=alpha)
    return b.emit("Multiply", call, [bent, factor])


@converts("HardSigmoid")
def _hard_sigmoid(b: Builder, call: Call) -> Tensor:
    slope, offset = float(call.attrs.get("alpha", 0.2)), float(call.attrs.get("beta", 0.5))
    return b.emit("HardSigmoid", call, [call.x], slope=slope, offset=offset)


@converts("Gelu")
def _gelu(b: Builder, call: Call) -> Tensor:
    return b.emit("Gelu", call, [call.x], approximate=call.attrs.get("approximate", "none") == "tanh")


@converts("Gelu", domain="com.microsoft")
def _contrib_gelu(b: Builder, call: Call) -> Tensor:
    return b.emit("Gelu", call, [call.x])


@converts("Swish")
def _swish(b: Builder, call: Call) -> Tensor:
    if float(call.attrs.get("alpha", 1.0)) != 1.0:
        raise UnsupportedError(f"alpha={call.attrs['alpha']}: only 1 is supported")
    return b.emit("Swish", call, [call.x])


@converts("Softmax", "LogSoftmax")
def _softmax(b: Builder, call: Call) -> Tensor:
    x, rank = call.x, call.x.rank
    axis = int(call.attrs.get("axis", -1 if call.opset >= 13 else 1))
    if call.opset >= 13 or prod(x.shape[axis % rank + 1 :]) == 1:
        return b.emit(call.op, call, [x], axis=last_axis(axis, rank) if x.is_nhwc else axis % rank)
    # Before operator set 13 the axes from `axis` on count as one.
    x, outer = b.file_order(x), prod(x.shape[: axis % rank])
    rows = b.step("Reshape", b.unique(f"{x.name}/rows"), [x], shape=(outer, -1) if axis else (1, -1))
    y = b.step(call.op, b.unique(f"{call.outputs[0]}/rows"), [rows], axis=-1)
    whole = b.emit("Reshape", call, [y], shape=x.shape)
    b.link(y, whole)
    return whole


@converts("Identity")
def _identity(b: Builder, call: Call) -> Tensor:
    return b.identity(call, call.x)


@converts("Dropout")
def _dropout(b: Builder, call: Call) -> Tensor:
    training: Any = call.constant(2)
    if training is not None and np.any(training):
        raise UnsupportedError("training_mode is set; export the model for inference")
    return b.identity(call, call.x)
