"""QuantizeLinear and DequantizeLinear with constant scales: grids of tensors, not operations.

A pair of them says which grid a tensor has. The tensor before QuantizeLinear takes the grid, and the two operators stay
as Identity, so that every name of the file can be traced. A constant under DequantizeLinear keeps its codes.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from refq.errors import LoadError, RangeError, UnsupportedError
from refq.graph import QParams
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts

_WIDTHS = {
    "int4": (4, True),
    "uint4": (4, False),
    "int8": (8, True),
    "uint8": (8, False),
    "int16": (16, True),
    "uint16": (16, False),
    "int32": (32, True),
}


def grid_of(subject: str, scale: Tensor, zero: Tensor | None, dtype: str, axis: int = 1) -> QParams:
    """The grid that a scale and a zero point describe; a vector of scales runs along `axis` of the tensor."""
    scales = scale.real.astype(np.float32)
    zeros: Any = 0 if zero is None else zero.real
    if dtype not in _WIDTHS:
        raise UnsupportedError(f"{subject}: codes of type {dtype}; {', '.join(_WIDTHS)} are supported")
    if zero is not None and zero.dtype != dtype:
        raise LoadError(f"{subject}: zero point {zero.name!r} is {zero.dtype}, its codes are {dtype}")
    if zero is not None and zero.shape != scale.shape and (zero.value is None or zero.value.size != scales.size):
        raise LoadError(f"{subject}: scale of shape {scale.shape} and zero point of shape {zero.shape} do not match")
    bits, signed = _WIDTHS[dtype]
    try:
        if scales.size == 1:
            zeros = np.reshape(np.asarray(zeros).astype(np.int64), -1)[0]
            return QParams(scale=scales.reshape(()), zero_point=zeros, bits=bits, signed=signed)
        zeros = np.asarray(zeros).astype(np.int64)
        return QParams(scale=scales.reshape(-1), zero_point=zeros, axis=axis, bits=bits, signed=signed)
    except RangeError as error:
        raise RangeError(f"{subject}: {error}") from error


def is_constant(tensor: Tensor | None) -> bool:
    """Whether a tensor is absent or known while reading."""
    return tensor is None or tensor.value is not None


def _is_grid(call: Call) -> bool:
    """Whether a QuantizeLinear or DequantizeLinear of an activation only states its grid."""
    scale, zero = call.inputs[1], call.inputs[2] if call.has(2) else None
    if scale is None or scale.value is None or not is_constant(zero) or call.attrs.get("block_size", 0):
        return False
    return scale.value.size == 1 and scale.dtype == "float32" and _codes(call) in _WIDTHS


def _codes(call: Call) -> str:
    """The type of the codes on the integer side."""
    if call.op == "DequantizeLinear":
        return call.x.dtype
    from refq.io.onnx.tensors import type_name

    kind = int(call.attrs.get("output_dtype", 0))
    return call.input(2).dtype if call.has(2) else type_name(kind) if kind else "uint8"


def _quantizes(call: Call) -> bool:
    return call.x.value is None and call.x.dtype == "float32" and _is_grid(call)


@converts("QuantizeLinear", accepts=_quantizes)
def _quantize(b: Builder, call: Call) -> Tensor:
    grid = grid_of(call.name, call.input(1), call.inputs[2] if call.has(2) else None, _codes(call))
    return put_on_grid(b, call, call.x, grid, _codes(call))


def put_on_grid(b: Builder, call: Call, x: Tensor, grid: QParams, dtype: str) -> Tensor:
    """The codes of x: x takes the grid if only quantizers with this one read it, else the codes alone have it."""
    name = b.file_names.get(x.name, x.name)
    readers = b.readers.get(name, [])
    is_free = b.grid(x) is None or x.name in b.inherited
    is_quantized_only = name not in b.outputs and all(node.op_type == "QuantizeLinear" for node in readers)
    if is_free and is_quantized_only and len({tuple(node.input[1:]) for node in readers}) == 1:
        b.give(x, grid)
    op = "Identity" if b.grid(x) == grid else "Requantize"
    codes = b.emit(op, call, [x], dtype=dtype)
    b.give(codes, grid)
    return codes


def _dequantizes_activation(call: Call) -> bool:
    return call.x.value is None and _is_grid(call)


@converts("DequantizeLinear", accepts=_dequantizes_activation)
def _dequantize(b: Builder, call: Call) -> Tensor:
    x = call.x
    zero = call.inputs[2] if call.has(2) else None
    has_grid(b, call, x, grid_of(call.name, call.input(1), zero, x.dtype))
    return b.emit("Identity", call, [x], dtype="float32")


def has_grid(b: Builder, call: Call, x: Tensor, grid: QParams) -> None:
    """Check that codes are read on the grid they are on; codes that enter the graph take it."""
    held = b.grid(x)
    if held is None:
        b.give(x, grid)
    elif held != grid:
        raise UnsupportedError(
            f"{call.op} {call.name!r} reads {x.name!r} with scale {grid.scale} and zero point {grid.zero_point}, "
            f"which was written with {held.scale} and {held.zero_point}"
        )


def _dequantizes_constant(call: Call) -> bool:
    return call.x.value is not None and all(is_constant(t) for t in call.inputs) and call.x.dtype in _WIDTHS


@converts("DequantizeLinear", accepts=_dequantizes_constant)
def _constant(b: Builder, call: Call) -> Tensor:
    x, scale, zero = call.x, call.input(1), call.inputs[2] if call.has(2) else None
    block, axis = int(call.attrs.get("block_size", 0)), int(call.attrs.get("axis", 1))
    if block:
        return _blocked(b, call, x, scale, zero, axis, block)
    if scale.value is not None and scale.value.size > 1:
        if not -x.rank <= axis < x.rank or x.shape[axis] != scale.value.size or scale.rank != 1:
            raise LoadError(f"scale of shape {scale.shape} does not fit axis {axis} of {x.name!r} {x.shape}")
        axis %= x.rank
    grid = grid_of(call.name, scale, zero, x.dtype, axis)
    value = np.asarray(x.value).astype(grid.dtype)
    return Tensor(name=x.name, shape=x.shape, value=value, grid=grid)


def _blocked(b: Builder, call: Call, x: Tensor, scale: Tensor, zero: Tensor | None, axis: int, block: int) -> Tensor:
    """Weights with a scale a block: real constants, since a grid has one scale a channel at most."""
    if not -x.rank <= axis < x.rank or scale.rank != x.rank or block < 1:
        raise LoadError(f"blocks of {block} along axis {axis} do not fit {x.name!r} {x.shape}, scale {scale.shape}")
    want = tuple(-(-size // block) if i == axis % x.rank else size for i, size in enumerate(x.shape))
    if scale.shape != want or (zero is not None and zero.shape != want):
        raise LoadError(
            f"blocks of {block} along axis {axis} of {x.name!r} {x.shape} need scales {want}, got {scale.shape}"
        )
    if not np.all(np.isfinite(scale.real) & (scale.real > 0)):
        raise RangeError(f"scale {scale.name!r} must be positive and finite")
    spread = [slice(None)] * x.rank
    spread[axis] = slice(0, x.shape[axis])
    times = min(block, x.shape[axis])  # a block larger than the axis is the whole axis
    given = [np.zeros(want) if t is None else t.real for t in (scale, zero)]
    scales, zeros = (np.repeat(t.astype(np.float32), times, axis=axis)[tuple(spread)] for t in given)
    steps = np.asarray(x.value).astype(np.float32) - zeros
    listed = [*json.loads(b.meta.get("blocked", "[]")), call.outputs[0]]
    b.meta["blocked"] = json.dumps(listed)
    return Tensor(name=call.outputs[0], shape=x.shape, value=(steps * scales).astype(np.float32))
