"""Operators between element types whose parameters are known only at run time: explicit layers, the same on every path.

Where scales are constants, `quantize_linear_ops` and `qlinear_ops` take the call first and give tensors grids instead.
"""

from __future__ import annotations

from typing import Any

from refq.errors import UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.convolution_ops import resolved_pads, sizes
from refq.io.onnx.tensors import type_name


def _inputs(b: Builder, call: Call) -> list[Tensor | None]:
    return [None if tensor is None else b.exact(tensor) for tensor in call.inputs]


def _type_attribute(call: Call, name: str) -> str:
    kind = int(call.attrs.get(name, 0))
    return type_name(kind) if kind else ""


@converts("QuantizeLinear")
def _quantize(b: Builder, call: Call) -> Tensor:
    to = call.input(2).dtype if call.has(2) else _type_attribute(call, "output_dtype") or "uint8"
    if not to.startswith(("int", "uint", "float8", "float4")):
        raise UnsupportedError(f"QuantizeLinear {call.name!r} to {to}; codes are integers or floats of 8 or 4 bits")
    return b.emit(
        "QuantizeLinear",
        call,
        _inputs(b, call),
        dtype=to,
        to=to,
        axis=int(call.attrs.get("axis", 1)),
        block_size=int(call.attrs.get("block_size", 0)),
        saturate=bool(call.attrs.get("saturate", 1)),
        precision=_type_attribute(call, "precision"),
    )


@converts("DequantizeLinear")
def _dequantize(b: Builder, call: Call) -> Tensor:
    to = _type_attribute(call, "output_dtype") or call.input(1).dtype
    attrs: dict[str, Any] = {"axis": int(call.attrs.get("axis", 1)), "block_size": int(call.attrs.get("block_size", 0))}
    return b.emit("DequantizeLinear", call, _inputs(b, call), dtype=to, to=to, **attrs)


@converts("DynamicQuantizeLinear")
def _dynamic(b: Builder, call: Call) -> list[Tensor]:
    return b.emit_outputs("DynamicQuantizeLinear", call, _inputs(b, call), ("uint8", "float32", "uint8"))


@converts("Cast", "CastLike")
def _cast(b: Builder, call: Call) -> Tensor:
    to = call.input(1).dtype if call.op == "CastLike" else type_name(int(call.attrs["to"]))
    attrs: dict[str, Any] = {"saturate": bool(call.attrs.get("saturate", 1))}
    if "round_mode" in call.attrs:
        attrs["round_mode"] = call.attrs["round_mode"]
    return b.emit("Cast", call, [b.exact(call.x)], dtype=to, to=to, **attrs)


@converts("MatMulInteger")
def _mat_mul(b: Builder, call: Call) -> Tensor:
    return b.emit("MatMulInteger", call, _inputs(b, call), dtype="int32")


@converts("QLinearMatMul")
def _qlinear_mat_mul(b: Builder, call: Call) -> Tensor:
    return b.emit("QLinearMatMul", call, _inputs(b, call), dtype=call.input(7).dtype)


@converts("ConvInteger")
def _conv(b: Builder, call: Call) -> Tensor:
    zeros = [None if not call.has(i) else b.exact(call.input(i)) for i in (2, 3)]
    w = call.input(1)
    images = [b.channels_last(call.x), _weight(b, call, w)]
    return b.emit("ConvInteger", call, [*images, *zeros], is_nhwc=True, dtype="int32", **_window(call, call.x, w))


@converts("QLinearConv")
def _qlinear_conv(b: Builder, call: Call) -> Tensor:
    w = call.input(3)
    inputs = _inputs(b, call)
    inputs[0], inputs[3] = b.channels_last(call.x), _weight(b, call, w)
    dtype = call.input(7).dtype
    return b.emit("QLinearConv", call, inputs, is_nhwc=True, dtype=dtype, **_window(call, call.x, w))


def _weight(b: Builder, call: Call, w: Tensor) -> Tensor:
    """OIHW to OHWI, a constant or not."""
    return b.permuted_constant(w, (0, 2, 3, 1)) if w.value is not None else b.channels_last(w)


def _window(call: Call, x: Tensor, w: Tensor) -> dict[str, Any]:
    strides, dilation = sizes(call, "strides", 2), sizes(call, "dilations", 2)
    return {
        "strides": strides,
        "dilation": dilation,
        "padding": resolved_pads(call, x.shape[2:], w.shape[2:], strides, dilation),
        "groups": int(call.attrs.get("group", 1)),
    }
