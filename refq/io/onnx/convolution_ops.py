"""Convolutions: OIHW weights to OHWI, one spatial axis through a unit axis."""

from __future__ import annotations

from typing import Any

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.quantized_operands import bias_of

Pads = tuple[tuple[int, int], ...]


def sizes(call: Call, name: str, rank: int, default: int = 1) -> tuple[int, ...]:
    """An attribute with one number a spatial axis."""
    found = tuple(int(size) for size in call.attrs.get(name, (default,) * rank))
    if len(found) != rank:
        raise ShapeError(f"{name}={found} needs {rank} numbers, one a spatial axis")
    return found


def pads_of(call: Call, rank: int) -> Any:
    """The padding as layers take it: "same", "valid", or a (before, after) pair a spatial axis."""
    auto = call.attrs.get("auto_pad", "NOTSET")
    if auto == "VALID":
        return ((0, 0),) * rank
    if auto != "NOTSET":
        return auto
    flat = tuple(int(size) for size in call.attrs.get("pads", (0,) * (2 * rank)))
    if len(flat) != 2 * rank:
        raise ShapeError(f"pads={flat} needs {2 * rank} numbers: those before every spatial axis, then those after")
    return tuple(zip(flat[:rank], flat[rank:], strict=True))


def resolved_pads(call: Call, spatial: tuple[int, ...], kernel: Any, strides: Any, dilation: Any) -> Pads:
    """Padding in numbers; SAME_LOWER puts the odd place in front."""
    pads = pads_of(call, len(spatial))
    if not isinstance(pads, str):
        return pads
    if pads not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"auto_pad={pads!r} is unknown")
    found = []
    for size, k, s, d in zip(spatial, kernel, strides, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        small, large = total // 2, total - total // 2
        found.append((small, large) if pads == "SAME_UPPER" else (large, small))
    return tuple(found)


def flat_image(b: Builder, x: Tensor) -> Tensor:
    """A channels-last tensor with one spatial axis (N, W, C) as an image of height 1."""
    name = b.unique(f"{x.name}/image")
    return b.step("Reshape", name, [x], is_nhwc=True, shape=(0, 1, *x.held[1:]))


def emit_windowed(b: Builder, call: Call, op: str, inputs: list[Tensor | None], **attrs: Any) -> Tensor:
    """Emit an image layer; a 1-D input passes through an image of height 1."""
    x = b.channels_last(inputs[0]) if inputs[0] is not None else None
    if x is None or x.rank not in (3, 4):
        raise UnsupportedError(f"input of shape {call.x.shape}; one or two spatial axes are supported")
    if x.rank == 4:
        return b.emit(op, call, [x, *inputs[1:]], is_nhwc=True, **attrs)
    image = b.step(op, b.unique(f"{call.outputs[0]}/image"), [flat_image(b, x), *inputs[1:]], is_nhwc=True, **attrs)
    line = b.emit("Reshape", call, [image], is_nhwc=True, shape=(0, *image.held[2:]))
    b.link(image, line)
    return line


def turned_weight(b: Builder, w: Tensor, order: tuple[int, ...]) -> Tensor:
    """A weight with its axes in a layer's order; one of a single spatial axis gets a height of 1 first."""
    if w.value is not None:
        return b.permuted_constant(b.as_image(w), order)
    image = b.file_order(w)
    if w.rank == 3:
        image = b.step("Reshape", b.unique(f"{w.name}/image"), [image], shape=(*w.shape[:2], 1, w.shape[2]))
    return b.step("Transpose", b.unique(f"{w.name}/ohwi"), [image], perm=order)


@converts("Conv")
def _conv(b: Builder, call: Call) -> Tensor:
    return convolution(b, call, call.x, call.input(1), call.inputs[2] if call.has(2) else None)


def convolution(b: Builder, call: Call, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Conv2D, or DepthwiseConv2D where every channel is its own group."""
    spatial = x.rank - 2
    if w.rank != x.rank or spatial not in (1, 2):
        raise UnsupportedError(
            f"input shape {x.shape} with weight shape {w.shape}: one or two spatial axes are supported"
        )
    kernel = sizes(call, "kernel_shape", spatial) if "kernel_shape" in call.attrs else w.shape[2:]
    if kernel != w.shape[2:]:
        raise ShapeError(f"kernel_shape={kernel} contradicts weight shape {w.shape}")
    strides, dilation = sizes(call, "strides", spatial), sizes(call, "dilations", spatial)
    groups = int(call.attrs.get("group", 1))
    if groups < 1 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ShapeError(f"weight shape {w.shape} in {groups} groups does not fit input shape {x.shape}")
    if min(*strides, *dilation) < 1:
        raise ShapeError(f"strides={strides} and dilations={dilation} must be at least 1")
    padding = resolved_pads(call, x.shape[2:], kernel, strides, dilation)
    image = ((1,) * (2 - spatial), ((0, 0),) * (2 - spatial))
    attrs: dict[str, Any] = {
        "strides": image[0] + strides,
        "padding": image[1] + padding,
        "dilation": image[0] + dilation,
    }
    is_depthwise = groups > 1 and w.shape[1] == 1
    if not is_depthwise:
        attrs["groups"] = groups
    weight = turned_weight(b, w, (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1))
    op = "DepthwiseConv2D" if is_depthwise else "Conv2D"
    return emit_windowed(b, call, op, [x, weight, bias_of(b, call, x, w, bias)], **attrs)


@converts("ConvTranspose")
def _conv_transpose(b: Builder, call: Call) -> Tensor:
    x, w, bias = call.x, call.input(1), call.inputs[2] if call.has(2) else None
    spatial, groups = x.rank - 2, int(call.attrs.get("group", 1))
    if w.rank != x.rank or spatial not in (1, 2):
        raise UnsupportedError(
            f"input shape {x.shape} with weight shape {w.shape}: one or two spatial axes are supported"
        )
    if groups < 1 or w.shape[0] != x.shape[1] or x.shape[1] % groups:
        raise ShapeError(f"weight shape {w.shape} in {groups} groups does not fit input shape {x.shape}")
    strides, dilation = sizes(call, "strides", spatial), sizes(call, "dilations", spatial)
    extra = sizes(call, "output_padding", spatial, 0)
    padding = _cuts(call, x.shape[2:], w.shape[2:], strides, dilation, extra)
    image = (1,) * (2 - spatial)
    attrs: dict[str, Any] = {
        "strides": image + strides,
        "padding": ((0, 0),) * (2 - spatial) + padding,
        "dilation": image + dilation,
        "output_padding": (0,) * (2 - spatial) + extra,
    }
    order = (1, 2, 3, 0)
    if groups == 1:
        weight = turned_weight(b, w, order)
        return emit_windowed(b, call, "Conv2DTranspose", [x, weight, bias_of(b, call, x, w, bias, axis=1)], **attrs)
    if w.value is None or (w.grid is not None and w.grid.axis is not None) or spatial != 2:
        raise UnsupportedError(f"{groups} groups need a constant weight, one scale for it and two spatial axes")
    held, parts = b.channels_last(x), []
    channels, outputs = x.shape[1] // groups, w.shape[1]
    for g in range(groups):
        begin, end = (None, None, None, g * channels), (None, None, None, (g + 1) * channels)
        part = b.step("Slice", b.unique(f"{x.name}/group{g}"), [held], is_nhwc=True, begin=begin, end=end)
        own = b.part(w, 0, g * channels, (g + 1) * channels)
        own_bias = None if bias is None else b.part(bias, 0, g * outputs, (g + 1) * outputs)
        weight, own_bias = turned_weight(b, own, order), bias_of(b, call, x, own, own_bias, axis=1)
        name = b.unique(f"{call.outputs[0]}/group{g}")
        parts.append(b.step("Conv2DTranspose", name, [part, weight, own_bias], is_nhwc=True, **attrs))
    whole = b.emit("Concatenate", call, parts, is_nhwc=True, axis=-1)
    b.link(whole, *parts)
    return whole


def _cuts(call: Call, spatial: Any, kernel: Any, strides: Any, dilation: Any, extra: Any) -> Pads:
    """What a transposed convolution cuts from its full result."""
    pads = pads_of(call, len(spatial))
    asked = call.attrs.get("output_shape")
    if asked is None and not isinstance(pads, str):
        return pads
    found = []
    for i, (size, k, s, d, more) in enumerate(zip(spatial, kernel, strides, dilation, extra, strict=True)):
        want = size * s if asked is None else int(asked[len(asked) - len(spatial) + i])
        total = (size - 1) * s + (k - 1) * d + 1 + more - want
        small, large = (total // 2, total - total // 2) if total >= 0 else (0, total)
        found.append((small, large) if pads == "SAME_UPPER" or total < 0 else (large, small))
    return tuple(found)
