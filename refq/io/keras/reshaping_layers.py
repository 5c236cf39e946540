"""Layers that move or repeat elements, and those that do nothing at inference."""

from __future__ import annotations

from typing import Any

from refq.errors import UnsupportedError
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import channels_last, converts, pair


@converts(
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "Identity",
)
def identity(builder: Builder, call: Call) -> Tensor:
    return call.x


@converts("Flatten")
def flatten(builder: Builder, call: Call) -> Tensor:
    x = call.x
    if call.config.get("data_format") == "channels_first" and len(x.shape) > 2:
        # Keras flattens in channels-last order whatever the data format.
        x = builder.emit("Transpose", f"{call.name}/to_channels_last", [x], perm=(0, *range(2, len(x.shape)), 1))
    return builder.emit("Reshape", call.name, [x], shape=(0, -1))


@converts("Reshape")
def reshape(builder: Builder, call: Call) -> Tensor:
    if "target_shape" in call.config:
        shape = (0, *call.config["target_shape"])
    else:
        shape = call.config.get("newshape") or call.kwargs.get("newshape") or call.args[1]
        shape = (0, *shape[1:])
    return builder.emit("Reshape", call.name, [call.inputs[0]], shape=tuple(map(int, shape)))


@converts("Permute")
def permute(builder: Builder, call: Call) -> Tensor:
    return builder.emit("Transpose", call.name, [call.x], perm=(0, *map(int, call.config["dims"])))


@converts("RepeatVector")
def repeat_vector(builder: Builder, call: Call) -> Tensor:
    row = builder.emit("Reshape", f"{call.name}/row", [call.x], shape=(0, 1, -1))
    return builder.emit("Tile", call.name, [row], multiples=(1, int(call.config["n"]), 1))


def _margins(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    if isinstance(value, int):
        return (value, value), (value, value)
    rows, columns = value
    return (
        (rows, rows) if isinstance(rows, int) else tuple(rows),
        (columns, columns) if isinstance(columns, int) else tuple(columns),
    )  # type: ignore[return-value]


@converts("ZeroPadding2D")
def zero_padding2d(builder: Builder, call: Call) -> Tensor:
    rows, columns = _margins(call.config["padding"])

    def body(x: Tensor, output: str) -> Tensor:
        return builder.emit("Pad", call.name, [x], output, paddings=((0, 0), rows, columns, (0, 0)))

    return channels_last(builder, call, body)


@converts("ZeroPadding1D")
def zero_padding1d(builder: Builder, call: Call) -> Tensor:
    margin = call.config["padding"]
    margin = (margin, margin) if isinstance(margin, int) else tuple(margin)
    return builder.emit("Pad", call.name, [call.x], paddings=((0, 0), margin, (0, 0)))


@converts("Cropping2D")
def cropping2d(builder: Builder, call: Call) -> Tensor:
    (top, bottom), (left, right) = _margins(call.config["cropping"])

    def body(x: Tensor, output: str) -> Tensor:
        end = (None, x.shape[1] - bottom, x.shape[2] - right, None)
        return builder.emit("Slice", call.name, [x], output, begin=(None, top, left, None), end=end)

    return channels_last(builder, call, body)


@converts("Cropping1D")
def cropping1d(builder: Builder, call: Call) -> Tensor:
    margin = call.config["cropping"]
    before, after = (margin, margin) if isinstance(margin, int) else margin
    end = (None, call.x.shape[1] - after, None)
    return builder.emit("Slice", call.name, [call.x], begin=(None, before, None), end=end)


@converts("UpSampling2D")
def up_sampling2d(builder: Builder, call: Call) -> Tensor:
    scale = pair(call.config.get("size", 2))
    method = call.config.get("interpolation", "nearest")
    if method not in ("nearest", "bilinear"):
        raise UnsupportedError(f"UpSampling2D {call.layer!r} with interpolation {method!r} has no converter")

    def body(x: Tensor, output: str) -> Tensor:
        if method == "nearest":
            return builder.emit("ResizeNearest", call.name, [x], output, scale=scale)
        return builder.emit("ResizeBilinear", call.name, [x], output, scale=scale)

    return channels_last(builder, call, body)


@converts("UpSampling1D")
def up_sampling1d(builder: Builder, call: Call) -> Tensor:
    x, repeat = call.x, int(call.config.get("size", 2))
    rows = builder.emit("Reshape", f"{call.name}/rows", [x], shape=(0, x.shape[1], 1, x.shape[2]))
    tiled = builder.emit("Tile", f"{call.name}/tiled", [rows], multiples=(1, 1, repeat, 1))
    return builder.emit("Reshape", call.name, [tiled], shape=(0, x.shape[1] * repeat, x.shape[2]))


@converts("Resizing")
def resizing(builder: Builder, call: Call) -> Tensor:
    config = call.config
    method = config.get("interpolation", "bilinear")
    if method not in ("nearest", "bilinear") or config.get("crop_to_aspect_ratio") or config.get("pad_to_aspect_ratio"):
        raise UnsupportedError(f"Resizing {call.layer!r} with interpolation {method!r} or cropping has no converter")
    size = (int(config["height"]), int(config["width"]))
    op = "ResizeNearest" if method == "nearest" else "ResizeBilinear"

    def body(x: Tensor, output: str) -> Tensor:
        return builder.emit(op, call.name, [x], output, size=size, half_pixel_centers=True)

    return channels_last(builder, call, body)
