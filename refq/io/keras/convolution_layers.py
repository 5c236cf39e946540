"""Dense and convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.io.keras.activation_layers import activate
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import channels_last, converts, one, pair


def _finish(builder: Builder, call: Call, op: str, inputs: list[Tensor | None], output: str, **attrs: Any) -> Tensor:
    """Emit the MAC node and the layer's activation; the last of them writes `output`."""
    activation = call.config.get("activation", "linear")
    linear = output if activation in (None, "linear") else f"{call.name}/linear"
    y = builder.emit(op, call.name, inputs, linear, **attrs)
    return activate(builder, y, activation, f"{call.name}/activation", output, call.major)


def _bias(builder: Builder, call: Call, position: int, size: int) -> Tensor | None:
    return builder.weight(call, position, "bias", (size,)) if call.config.get("use_bias", True) else None


@converts("Dense")
def dense(builder: Builder, call: Call) -> Tensor:
    units, width = int(call.config["units"]), call.x.shape[-1]
    kernel = builder.weight(call, 0, "kernel", (width, units), np.transpose)
    return _finish(builder, call, "Dense", [call.x, kernel, _bias(builder, call, 1, units)], call.name)


@converts("Conv2D", "Convolution2D")
def conv2d(builder: Builder, call: Call) -> Tensor:
    config = call.config
    filters, kernel, groups = int(config["filters"]), pair(config["kernel_size"]), int(config.get("groups") or 1)

    def body(x: Tensor, output: str) -> Tensor:
        shape = (*kernel, x.shape[3] // groups, filters)
        w = builder.weight(call, 0, "kernel", shape, lambda v: v.transpose(3, 0, 1, 2))
        inputs = [x, w, _bias(builder, call, 1, filters)]
        return _finish(builder, call, "Conv2D", inputs, output, groups=groups, **_geometry(call))

    return channels_last(builder, call, body)


def _geometry(call: Call) -> dict[str, Any]:
    config = call.config
    return {
        "strides": pair(config.get("strides", 1)),
        "padding": config.get("padding", "valid"),
        "dilation": pair(config.get("dilation_rate", 1)),
    }


def _depthwise_kernel(builder: Builder, call: Call, kernel: tuple[int, int], channels: int) -> Tensor:
    multiplier = int(call.config.get("depth_multiplier", 1))
    shape = (*kernel, channels, multiplier)
    return builder.weight(call, 0, "depthwise_kernel", shape, lambda v: v.reshape(1, *kernel, channels * multiplier))


@converts("DepthwiseConv2D")
def depthwise_conv2d(builder: Builder, call: Call) -> Tensor:
    def body(x: Tensor, output: str) -> Tensor:
        w = _depthwise_kernel(builder, call, pair(call.config["kernel_size"]), x.shape[3])
        inputs = [x, w, _bias(builder, call, 1, w.shape[3])]
        return _finish(builder, call, "DepthwiseConv2D", inputs, output, **_geometry(call))

    return channels_last(builder, call, body)


@converts("SeparableConv2D", "SeparableConvolution2D")
def separable_conv2d(builder: Builder, call: Call) -> Tensor:
    filters = int(call.config["filters"])

    def body(x: Tensor, output: str) -> Tensor:
        w = _depthwise_kernel(builder, call, pair(call.config["kernel_size"]), x.shape[3])
        middle = builder.emit("DepthwiseConv2D", f"{call.name}/depthwise", [x, w, None], **_geometry(call))
        shape = (1, 1, w.shape[3], filters)
        pointwise = builder.weight(call, 1, "pointwise_kernel", shape, lambda v: v.transpose(3, 0, 1, 2))
        return _finish(builder, call, "Conv2D", [middle, pointwise, _bias(builder, call, 2, filters)], output)

    return channels_last(builder, call, body)


@converts("Conv2DTranspose", "Convolution2DTranspose")
def conv2d_transpose(builder: Builder, call: Call) -> Tensor:
    config = call.config
    filters, kernel = int(config["filters"]), pair(config["kernel_size"])
    extra = config.get("output_padding")

    def body(x: Tensor, output: str) -> Tensor:
        shape = (*kernel, filters, x.shape[3])
        w = builder.weight(call, 0, "kernel", shape, lambda v: v.transpose(2, 0, 1, 3))
        inputs = [x, w, _bias(builder, call, 1, filters)]
        more = {} if extra is None else {"output_padding": pair(extra)}
        return _finish(builder, call, "Conv2DTranspose", inputs, output, **_geometry(call), **more)

    return channels_last(builder, call, body)


def flat_window(call: Call, x: Tensor, kernel: int, stride: int, dilation: int = 1) -> Any:
    """Padding of a 1-D window as that of a 2-D one of height 1; causal pads on the left only."""
    padding = call.config.get("padding", "valid")
    return ((0, 0), ((kernel - 1) * dilation, 0)) if padding == "causal" else padding


def as_image(builder: Builder, call: Call, x: Tensor) -> Tensor:
    """(N, L, C) as (N, 1, L, C)."""
    return builder.emit("Reshape", f"{call.name}/as_image", [x], shape=(0, 1, *x.shape[1:]))


def as_sequence(builder: Builder, call: Call, y: Tensor, output: str) -> Tensor:
    """(N, 1, L, C) as (N, L, C)."""
    return builder.emit("Reshape", f"{call.name}/as_sequence", [y], output, shape=(0, *y.shape[2:]))


@converts("Conv1D", "Convolution1D", "SeparableConv1D", "SeparableConvolution1D", "DepthwiseConv1D")
def conv1d(builder: Builder, call: Call) -> Tensor:
    config = call.config
    kernel, stride = one(config["kernel_size"]), one(config.get("strides", 1))
    dilation, groups = one(config.get("dilation_rate", 1)), int(config.get("groups") or 1)

    def body(x: Tensor, output: str) -> Tensor:
        channels = x.shape[2]
        geometry = {
            "strides": (1, stride),
            "padding": flat_window(call, x, kernel, stride, dilation),
            "dilation": (1, dilation),
        }
        image, last = as_image(builder, call, x), f"{call.name}/image"
        if call.kind in ("Conv1D", "Convolution1D"):
            filters = int(config["filters"])
            w = builder.weight(
                call, 0, "kernel", (kernel, channels // groups, filters), lambda v: v.transpose(2, 0, 1)[:, None]
            )
            inputs = [image, w, _bias(builder, call, 1, filters)]
            y = _finish(builder, call, "Conv2D", inputs, last, groups=groups, **geometry)
            return as_sequence(builder, call, y, output)
        multiplier = int(config.get("depth_multiplier", 1))
        w = builder.weight(
            call,
            0,
            "depthwise_kernel",
            (kernel, channels, multiplier),
            lambda v: v.reshape(1, 1, kernel, channels * multiplier),
        )
        if call.kind == "DepthwiseConv1D":
            inputs = [image, w, _bias(builder, call, 1, channels * multiplier)]
            y = _finish(builder, call, "DepthwiseConv2D", inputs, last, **geometry)
            return as_sequence(builder, call, y, output)
        middle = builder.emit("DepthwiseConv2D", f"{call.name}/depthwise", [image, w, None], **geometry)
        filters = int(config["filters"])
        pointwise = builder.weight(
            call, 1, "pointwise_kernel", (1, channels * multiplier, filters), lambda v: v.transpose(2, 0, 1)[:, None]
        )
        y = _finish(builder, call, "Conv2D", [middle, pointwise, _bias(builder, call, 2, filters)], last)
        return as_sequence(builder, call, y, output)

    return channels_last(builder, call, body)
