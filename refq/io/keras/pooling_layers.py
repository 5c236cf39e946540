"""Pooling."""

from __future__ import annotations

from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import channels_last, converts, one, pair
from refq.io.keras.convolution_layers import as_image, as_sequence


@converts("MaxPooling2D", "AveragePooling2D", "MaxPool2D", "AvgPool2D")
def pool2d(builder: Builder, call: Call) -> Tensor:
    pool = pair(call.config.get("pool_size", 2))
    strides = pair(call.config.get("strides") or pool)
    op = "MaxPool2D" if call.kind.startswith("Max") else "AveragePool2D"
    padding = call.config.get("padding", "valid")

    def body(x: Tensor, output: str) -> Tensor:
        return builder.emit(op, call.name, [x], output, pool=pool, strides=strides, padding=padding)

    return channels_last(builder, call, body)


@converts("MaxPooling1D", "AveragePooling1D", "MaxPool1D", "AvgPool1D")
def pool1d(builder: Builder, call: Call) -> Tensor:
    pool = one(call.config.get("pool_size", 2))
    stride = one(call.config.get("strides") or pool)
    op = "MaxPool2D" if call.kind.startswith("Max") else "AveragePool2D"
    padding = call.config.get("padding", "valid")

    def body(x: Tensor, output: str) -> Tensor:
        image = as_image(builder, call, x)
        y = builder.emit(
            op, call.name, [image], f"{call.name}/image", pool=(1, pool), strides=(1, stride), padding=padding
        )
        return as_sequence(builder, call, y, output)

    return channels_last(builder, call, body)


@converts("GlobalAveragePooling2D", "GlobalAveragePooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling1D")
def global_pool(builder: Builder, call: Call) -> Tensor:
    rank = len(call.x.shape)
    first = call.config.get("data_format") == "channels_first"
    axes = tuple(range(2, rank)) if first else tuple(range(1, rank - 1))
    op = "Mean" if "Average" in call.kind else "ReduceMax"
    return builder.emit(op, call.name, [call.x], axes=axes, keepdims=bool(call.config.get("keepdims", False)))
