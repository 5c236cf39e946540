"""Pools under a window and over the whole image."""

from __future__ import annotations

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.convolution_ops import emit_windowed, resolved_pads, sizes


@converts("MaxPool", "AveragePool")
def _pool(b: Builder, call: Call) -> Tensor:
    return pool(b, call, call.x, call.op)


def pool(b: Builder, call: Call, x: Tensor, op: str) -> Tensor:
    """MaxPool2D or AveragePool2D; a padded place counts in an average where the file says so."""
    spatial = x.rank - 2
    if spatial not in (1, 2):
        raise UnsupportedError(f"input shape {x.shape}; one or two spatial axes are supported")
    kernel, strides = sizes(call, "kernel_shape", spatial), sizes(call, "strides", spatial)
    dilation = sizes(call, "dilations", spatial)
    if max(dilation) > 1:
        raise UnsupportedError(f"dilations={dilation}: only undilated pools are supported")
    if min(*kernel, *strides) < 1:
        raise ShapeError(f"kernel_shape={kernel} and strides={strides} must be at least 1")
    pads = resolved_pads(call, x.shape[2:], kernel, strides, dilation)
    if any(p >= k for pair, k in zip(pads, kernel, strict=True) for p in pair):
        raise ShapeError(f"pads={pads} must be smaller than kernel_shape={kernel}")
    reach = tuple(_ceil_extra(call, *args) for args in zip(x.shape[2:], kernel, strides, pads, strict=True))
    image = ((1,) * (2 - spatial), ((0, 0),) * (2 - spatial))
    window = {"pool": image[0] + kernel, "strides": image[0] + strides}
    counts_pads = op == "AveragePool" and call.attrs.get("count_include_pad", 0) and any(map(any, pads))
    if counts_pads:
        if any(reach):
            raise UnsupportedError("count_include_pad with ceil_mode where the last window leaves the padded input")
        x = b.channels_last(x)
        margin = ((0, 0), *pads, (0, 0))
        x = b.step("Pad", b.unique(f"{x.name}/padded"), [x], is_nhwc=True, paddings=margin)
        pads = ((0, 0),) * spatial
    whole = tuple((before, after + extra) for (before, after), extra in zip(pads, reach, strict=True))
    layer = "MaxPool2D" if op == "MaxPool" else "AveragePool2D"
    return emit_windowed(b, call, layer, [x], **window, padding=image[1] + whole)


def _ceil_extra(call: Call, size: int, kernel: int, stride: int, pads: tuple[int, int]) -> int:
    """Places behind the padded input that ceil_mode's last window may reach; it starts inside input or front pad."""
    if not call.attrs.get("ceil_mode", 0):
        return 0
    padded = size + sum(pads)
    steps = -(-(padded - kernel) // stride) + 1
    if (steps - 1) * stride >= size + pads[0]:
        steps -= 1
    return max((steps - 1) * stride + kernel - padded, 0)


@converts("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(b: Builder, call: Call) -> Tensor:
    x = call.x
    if x.rank < 3:
        raise ShapeError(f"input shape {x.shape} has no spatial axes")
    axes = tuple(range(1, x.rank - 1)) if x.is_nhwc else tuple(range(2, x.rank))
    layer = "Mean" if call.op == "GlobalAveragePool" else "ReduceMax"
    return b.emit(layer, call, [x], axes=axes, keepdims=True)
