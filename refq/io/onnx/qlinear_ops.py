"""Operators on codes with constant scales and zero points: the layers, with grids."""

from __future__ import annotations

from typing import Any

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.convolution_ops import convolution
from refq.io.onnx.elementwise_ops import binary
from refq.io.onnx.layout import last_axis
from refq.io.onnx.matmul_ops import product
from refq.io.onnx.pooling_ops import pool
from refq.io.onnx.quantize_linear_ops import grid_of, has_grid, is_constant
from refq.io.onnx.quantized_operands import bias_of
from refq.io.onnx.shape_ops import joined

_MICROSOFT = "com.microsoft"


def _known(*places: int) -> Any:
    """Accepts calls whose scales and zero points, at these inputs, are constants."""

    def accepts(call: Call) -> bool:
        return all(place >= len(call.inputs) or is_constant(call.inputs[place]) for place in places)

    return accepts


def operand(b: Builder, call: Call, place: int, axis: int = 0) -> Tensor:
    """A tensor of codes at `place`, followed by its scale and zero point; a constant's scales run along `axis`."""
    x, scale = call.input(place), call.input(place + 1)
    zero = call.inputs[place + 2] if call.has(place + 2) else None
    grid = grid_of(f"{call.op} {call.name!r}", scale, zero, x.dtype, axis)
    if x.value is not None:
        if grid.axis is not None and (not x.rank or x.shape[axis] != grid.scale.size):
            raise ShapeError(f"{grid.scale.size} scales do not fit axis {axis} of {x.name!r} {x.shape}")
        return Tensor(name=x.name, shape=x.shape, value=x.value, grid=grid)
    if grid.axis is not None:
        raise UnsupportedError(f"activation {x.name!r} has {grid.scale.size} scales; one is supported")
    has_grid(b, call, x, grid)
    return x


def written(b: Builder, call: Call, y: Tensor, place: int, dtype: str) -> Tensor:
    """Give the result the grid whose scale and zero point stand at `place`."""
    zero = call.inputs[place + 1] if call.has(place + 1) else None
    b.give(y, grid_of(f"{call.op} {call.name!r}", call.input(place), zero, zero.dtype if zero else dtype))
    return y


@converts("QLinearConv", accepts=_known(1, 2, 3, 4, 5, 6, 7, 8))
def _conv(b: Builder, call: Call) -> Tensor:
    x, w = operand(b, call, 0), operand(b, call, 3)
    y = convolution(b, call, x, w, call.inputs[8] if call.has(8) else None)
    return written(b, call, y, 6, x.dtype)


@converts("QLinearMatMul", accepts=_known(1, 2, 4, 5, 6, 7))
def _matmul(b: Builder, call: Call) -> Tensor:
    x, w = operand(b, call, 0), operand(b, call, 3, axis=-1)
    return written(b, call, product(b, call, x, w), 6, x.dtype)


@converts("QGemm", domain=_MICROSOFT, accepts=_known(1, 2, 3, 4, 5, 6, 7, 8))
def _gemm(b: Builder, call: Call) -> Tensor:
    turned = bool(call.attrs.get("transB", 0))
    x, w = operand(b, call, 0), operand(b, call, 3, axis=0 if turned else 1)
    if call.attrs.get("transA", 0) or call.attrs.get("alpha", 1.0) != 1.0 or not call.has(7) or w.rank != 2:
        raise UnsupportedError("QGemm with transA, with alpha other than 1, or with a real result")
    order = (0, 1) if turned else (1, 0)
    bias = bias_of(b, call, x, w, call.inputs[6] if call.has(6) else None, axis=0 if turned else 1)
    y = b.emit("Dense", call, [x, b.permuted_constant(w, order), bias])
    return written(b, call, y, 7, x.dtype)


@converts("QLinearAdd", "QLinearMul", domain=_MICROSOFT, accepts=_known(1, 2, 4, 5, 6, 7))
def _binary(b: Builder, call: Call) -> Tensor:
    x, y = operand(b, call, 0), operand(b, call, 3)
    op = "Add" if call.op == "QLinearAdd" else "Multiply"
    return written(b, call, binary(b, call, op, x, y), 6, x.dtype)


@converts("QLinearGlobalAveragePool", domain=_MICROSOFT, accepts=_known(1, 2, 3, 4))
def _global_average(b: Builder, call: Call) -> Tensor:
    x = operand(b, call, 0)
    if call.attrs.get("channels_last", 0):
        raise UnsupportedError("channels_last is set; ONNX Runtime sets it in models it has optimized")
    axes = tuple(range(1, x.rank - 1)) if x.is_nhwc else tuple(range(2, x.rank))
    return written(b, call, b.emit("Mean", call, [x], axes=axes, keepdims=True), 3, x.dtype)


@converts("QLinearAveragePool", domain=_MICROSOFT, accepts=_known(1, 2, 3, 4))
def _average(b: Builder, call: Call) -> Tensor:
    x = operand(b, call, 0)
    if call.attrs.get("channels_last", 0):
        raise UnsupportedError("channels_last is set; ONNX Runtime sets it in models it has optimized")
    return written(b, call, pool(b, call, x, "AveragePool"), 3, x.dtype)


@converts("QLinearSigmoid", "QLinearLeakyRelu", domain=_MICROSOFT, accepts=_known(1, 2, 3, 4))
def _table(b: Builder, call: Call) -> Tensor:
    x = operand(b, call, 0)
    if call.op == "QLinearSigmoid":
        return written(b, call, b.emit("Sigmoid", call, [x]), 3, x.dtype)
    slope = float(call.attrs.get("alpha", 0.01))
    return written(b, call, b.emit("Relu", call, [x], negative_slope=slope), 3, x.dtype)


@converts("QLinearConcat", domain=_MICROSOFT, accepts=lambda call: all(map(is_constant, call.inputs[:2])))
def _concat(b: Builder, call: Call) -> Tensor:
    tensors = [operand(b, call, place) for place in range(2, len(call.inputs), 3)]
    return written(b, call, joined(b, call, tensors), 0, tensors[0].dtype)


@converts("QLinearSoftmax", domain=_MICROSOFT, accepts=_known(1, 2, 3, 4))
def _softmax(b: Builder, call: Call) -> Tensor:
    x = operand(b, call, 0)
    axis = int(call.attrs.get("axis", -1))
    if int(call.attrs.get("opset", 13)) < 13 and axis % x.rank != x.rank - 1:
        raise UnsupportedError("softmax over several axes at once, as before operator set 13")
    y = b.emit("Softmax", call, [x], axis=last_axis(axis, x.rank) if x.is_nhwc else axis % x.rank)
    return written(b, call, y, 3, x.dtype)
