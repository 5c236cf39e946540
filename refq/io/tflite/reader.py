"""From a .tflite file to a Graph."""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, LoadError, RangeError, ShapeError, UnsupportedError
from refq.graph import Graph, QParams
from refq.io.damage import told
from refq.io.tflite.builder import LARGEST, Builder, Operand, Operation
from refq.io.tflite.converters import converted_kinds, converter
from refq.io.tflite.flatbuffer import FileModel, FileOperator, FileTensor, parse

_CODE_BITS = {
    "int2": 2,
    "int4": 4,
    "uint4": 4,
    "int8": 8,
    "uint8": 8,
    "int16": 16,
    "uint16": 16,
    "int32": 32,
    "int64": 64,
}
_NO_NUMBERS = ("string", "resource", "variant", "complex64", "complex128")


def read_tflite(path: Path) -> Graph:
    """Read a .tflite file; errors as in `refq.load`.

    Notes
    -----
    Tensors keep the file's names. Names the file repeats or leaves out get `#index`; `meta["renamed"]` lists them as
    JSON, index to name. The batch is free: the leading axis of the file is only the batch it was made with.
    """
    with told(path, "not a whole TFLite file"):
        model = parse(path.read_bytes())
        return _graph(model, path.stem)


def _graph(model: FileModel, name: str) -> Graph:
    unknown = sorted({operator.kind for operator in model.operators if converter(operator.kind) is None})
    reasons = [f"no converter for {', '.join(unknown)}"] if unknown else []
    if model.subgraphs != 1:
        reasons.insert(
            0, f"holds {model.subgraphs} subgraphs (control flow, or a model for each signature), one is read"
        )
    if reasons:
        raise UnsupportedError(f"{'; '.join(reasons)}; supported are {', '.join(converted_kinds())}")
    operands = tensors(model)
    names = [operand.name for operand in operands]
    for index in (*model.inputs, *model.outputs):
        _check_index(index, operands, "the subgraph")
    _grid_float_inputs(model, operands)
    builder = Builder()
    for index in model.inputs:
        if operands[index].is_constant:
            raise LoadError(f"input {names[index]!r} is a constant")
        builder.input(operands[index])
    _convert(model, builder, operands)
    for index in model.outputs:
        builder.hold_output(operands[index])
    meta = {"format": "tflite", "description": model.description}
    renamed = {i: name for i, name in enumerate(names) if name != model.tensors[i].name}
    if renamed:
        meta["renamed"] = json.dumps(renamed)
    if builder.reshaped:
        meta["shapes_recomputed"] = ", ".join(builder.reshaped)
    return builder.graph(name, tuple(names[i] for i in model.outputs), meta)


def tensors(model: FileModel) -> list[Operand]:
    """The file's tensors in its order, under unique names, constants as values or codes."""
    names = _unique_names(model)
    return [_operand(tensor, names[i]) for i, tensor in enumerate(model.tensors)]


def _convert(model: FileModel, builder: Builder, operands: list[Operand]) -> None:
    """Run every converter; operators no converter can take are named together."""
    refused: list[str] = []
    written = set(model.inputs)
    for position, operator in enumerate(model.operators):
        op = _operation(operator, position, builder, operands)
        for index in operator.outputs:
            if index in written or operands[index].is_constant:
                raise LoadError(f"{op.kind} {op.name!r} writes {operands[index].name!r}, which has its value already")
            written.add(index)
        convert = converter(operator.kind)
        if convert is None:
            raise UnsupportedError(f"no converter for {operator.kind}")
        try:
            convert(builder, op)
        except UnsupportedError as error:
            refused.append(str(error))
            for operand in op.outputs:
                builder.assume(operand)
            continue
        missing = [operand.name for operand in op.outputs if not builder.knows(operand)]
        if missing:
            raise GraphError(f"{op.kind} {op.name!r}: its converter left {missing} without a value")
    if refused:
        raise UnsupportedError("; ".join(refused))


def _operation(operator: FileOperator, position: int, builder: Builder, operands: list[Operand]) -> Operation:
    name = f"{operator.kind}_{position}"
    for index in (*operator.inputs, *operator.outputs, *operator.intermediates):
        if index != -1 or index in operator.outputs:
            _check_index(index, operands, f"{operator.kind} {name!r}")
    for index in operator.inputs:
        if index != -1 and not builder.knows(operands[index]) and not operands[index].is_variable:
            raise LoadError(
                f"{operator.kind} {name!r} reads {operands[index].name!r}, which nothing before it produces"
            )
    return Operation(
        kind=operator.kind,
        name=name,
        inputs=tuple(None if i == -1 else builder.current(operands[i]) for i in operator.inputs),
        outputs=tuple(operands[i] for i in operator.outputs),
        options=operator.options,
        intermediates=tuple(None if i == -1 else operands[i] for i in operator.intermediates),
    )


def _check_index(index: int, operands: list[Operand], where: str) -> None:
    if not 0 <= index < len(operands):
        raise LoadError(f"{where} names tensor {index}, the file has {len(operands)}")


def _unique_names(model: FileModel) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()
    for index, tensor in enumerate(model.tensors):
        name = tensor.name
        while not name or name in seen:
            name = f"{name}#{index}"
        seen.add(name)
        names.append(name)
    return names


def _operand(tensor: FileTensor, name: str) -> Operand:
    if tensor.dtype in _NO_NUMBERS or tensor.oddity:
        raise UnsupportedError(f"tensor {name!r} is {tensor.oddity or tensor.dtype}, which has no rule")
    if any(size < 0 for size in tensor.shape) or prod(tensor.shape) > LARGEST:
        raise ShapeError(f"tensor {name!r} has the unusable shape {tensor.shape}")
    data = None if tensor.is_variable else _values(tensor, name)
    if data is None and not tensor.is_variable and prod(tensor.shape) == 0:
        data = np.zeros(tensor.shape, _stored(tensor.dtype))
    return Operand(
        name=name,
        shape=tensor.shape,
        dtype=str(_stored(tensor.dtype)),
        qparams=_qparams(tensor, name),
        data=data,
        is_variable=tensor.is_variable,
    )


def _stored(dtype: str) -> np.dtype[Any]:
    """The NumPy type that holds a tensor: sub-byte codes in a byte, half floats widened."""
    return np.dtype(
        {"int2": "int8", "int4": "int8", "uint4": "uint8", "float16": "float32", "bfloat16": "float32"}.get(
            dtype, dtype
        )
    )


def _values(tensor: FileTensor, name: str) -> NDArray[Any] | None:
    """The buffer as an array."""
    if tensor.data is None:
        return None
    count = prod(tensor.shape)
    bits = _CODE_BITS[tensor.dtype] if tensor.dtype in ("int2", "int4", "uint4") else 0
    width = 2 if tensor.dtype == "bfloat16" else 0 if bits else np.dtype(tensor.dtype).itemsize
    expected = -(-count * bits // 8) if bits else count * width
    if len(tensor.data) != expected:
        raise ShapeError(
            f"tensor {name!r} of shape {tensor.shape} and type {tensor.dtype} takes {expected} bytes, "
            f"its buffer has {len(tensor.data)}"
        )
    if bits:
        return _unpacked(tensor.data, bits, count, tensor.dtype[0] == "i").reshape(tensor.shape)
    if tensor.dtype == "bfloat16":
        wide = tensor.data.view("<u2").astype("<u4") << 16
        return wide.view("<f4").astype(np.float32).reshape(tensor.shape)
    values = np.require(tensor.data.view(np.dtype(tensor.dtype).newbyteorder("<")), requirements="A")
    return values.astype(_stored(tensor.dtype), copy=False).reshape(tensor.shape)


def _unpacked(packed: NDArray[np.uint8], bits: int, count: int, is_signed: bool) -> NDArray[Any]:
    """Codes of `bits` bits, the lowest bits of a byte first, as one byte each."""
    places = np.arange(0, 8, bits, dtype=np.uint8)
    codes = ((packed[:, None] >> places) & ((1 << bits) - 1)).ravel()[:count]
    if not is_signed:
        return codes
    signed = codes.astype(np.int8)
    return np.where(signed >= 1 << (bits - 1), signed - (1 << bits), signed).astype(np.int8)


def _qparams(tensor: FileTensor, name: str) -> QParams | None:
    """The grid of an integer tensor; scales in the record of a real tensor are notes of the converter."""
    scale, zero = tensor.scale, tensor.zero_point
    if tensor.dtype not in _CODE_BITS or not scale.size:
        return None
    bits, is_signed = _CODE_BITS[tensor.dtype], tensor.dtype[0] == "i"
    if zero.size not in (0, 1, scale.size):
        raise ShapeError(f"tensor {name!r} has {scale.size} scales and {zero.size} zero points")
    lowest = -(1 << (bits - 1)) if is_signed else 0
    for value in zero.tolist():
        if not lowest <= value < lowest + (1 << bits) or abs(value) > 1 << 31:
            raise RangeError(f"tensor {name!r}: zero_point={value} is outside the codes of {tensor.dtype}")
    axis: int | None = None
    if scale.size > 1:
        axis = tensor.axis
        if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != scale.size:
            raise ShapeError(
                f"tensor {name!r} of shape {tensor.shape} has {scale.size} scales along axis {axis}; "
                "one a channel is needed"
            )
        zero = np.broadcast_to(zero if zero.size else 0, scale.shape)
    else:
        scale, zero = scale[0], zero[0] if zero.size else 0
    try:
        return QParams(scale=scale, zero_point=zero, axis=axis, bits=bits, signed=is_signed)
    except RangeError as error:
        raise RangeError(f"tensor {name!r}: {error}") from error


def _grid_float_inputs(model: FileModel, operands: list[Operand]) -> None:
    """A real input that only QUANTIZE reads, always on one grid, takes that grid."""
    for index in model.inputs:
        readers = [operator for operator in model.operators if index in operator.inputs]
        if not operands[index].is_real or not readers or any(r.kind != "QUANTIZE" for r in readers):
            continue
        grids = {operands[o].qparams for r in readers for o in r.outputs if 0 <= o < len(operands)}
        if len(grids) == 1:
            operands[index] = replace(operands[index], qparams=grids.pop())
