"""A .tflite file as plain values.

Offsets, lengths and type codes come from an untrusted file. Every vector is bounded by the bytes that follow it, and
all vectors together by a budget, so that tables pointing at one another cannot multiply.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, RefqError, UnsupportedError

_IDENTIFIER = b"TFL3"
_BUDGET = 64
"""Bytes decoded for every byte of the file; honest files stay below 2."""

_OUTSIDE = (struct.error, IndexError, TypeError, ValueError, OverflowError)
"""What the flatbuffers package raises where an offset leads nowhere."""

_DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float64",
    11: "complex128",
    12: "uint64",
    13: "resource",
    14: "variant",
    15: "uint32",
    16: "uint16",
    17: "int4",
    18: "bfloat16",
    19: "int2",
    20: "uint4",
}
_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "mode": "MirrorPadMode",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType",
    "quantized_bias_type": "TensorType",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTensor:
    """One tensor of the file; `scale`, `zero_point` are empty where it is not quantized.

    data : the buffer's bytes, a view of the file; None where the tensor is computed
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: NDArray[np.uint8] | None
    scale: NDArray[Any]
    zero_point: NDArray[Any]
    axis: int
    is_variable: bool
    oddity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOperator:
    """One operator: `inputs` holds -1 for absent operands; options carry the schema's field names."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class FileModel:
    """The first subgraph of a file, and how many there are."""

    name: str
    description: str
    version: int
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int


def parse(data: bytes) -> FileModel:
    """Decode a file.

    Raises
    ------
    LoadError    not a TFLite file, or one that contradicts itself
    """
    if len(data) < 8 or data[4:8] != _IDENTIFIER:
        found = "it is empty" if not data else f"bytes 4 to 8 are {data[4:8]!r}, not {_IDENTIFIER!r}"
        raise LoadError(f"not a TFLite file: {found}")
    try:
        return _Parser(data).model()
    except RefqError:
        raise
    except _OUTSIDE as error:
        raise LoadError(f"damaged TFLite file: an offset or a length points outside it ({error})") from error


@cache
def _schema() -> Any:
    try:
        import tflite
    except ImportError as error:
        raise LoadError("reading .tflite needs the package tflite; pip install 'refq[tflite]'") from error
    return tflite


@cache
def _names(enum: str) -> dict[int, str]:
    values = vars(getattr(_schema(), enum))
    return {value: name for name, value in values.items() if isinstance(value, int) and not name.startswith("_")}


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _BUDGET * len(data)

    def _spend(self, count: int, item_bytes: int, what: str) -> int:
        """`count`, if so many items can be in this file."""
        size = count * item_bytes
        if size > len(self.data):
            raise LoadError(f"{what} has {count} entries, the whole file has {len(self.data)} bytes")
        self.left -= size
        if self.left < 0:
            raise LoadError(f"tables repeat each other beyond {_BUDGET} times the file size, at {what}")
        return count

    def _tables(self, table: Any, field_name: str) -> Iterator[Any]:
        get: Callable[[int], Any] = getattr(table, field_name)
        for i in range(self._spend(getattr(table, f"{field_name}Length")(), 4, field_name)):
            self._spend(1, 8, field_name)
            yield get(i)

    def _numbers(self, table: Any, field_name: str) -> NDArray[Any]:
        count = self._spend(getattr(table, f"{field_name}Length")(), 1, field_name)
        if not count:
            return np.zeros(0, np.int64)
        values = getattr(table, f"{field_name}AsNumpy")()
        self._spend(values.nbytes, 1, field_name)
        return values

    def _integers(self, table: Any, field_name: str) -> tuple[int, ...]:
        return tuple(int(v) for v in self._numbers(table, field_name))

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        self._spend(len(value), 1, "a name")
        return value.decode("utf-8", "replace")

    def model(self) -> FileModel:
        model = _schema().Model.GetRootAs(self.data, 0)
        if model.Version() != 3:
            raise LoadError(f"schema version {model.Version()}, this version reads 3")
        codes = [self._kind(code) for code in self._tables(model, "OperatorCodes")]
        buffers = [self._buffer(buffer) for buffer in self._tables(model, "Buffers")]
        subgraphs = self._spend(model.SubgraphsLength(), 4, "Subgraphs")
        if not subgraphs:
            raise LoadError("holds no subgraph")
        graph = model.Subgraphs(0)
        return FileModel(
            name=self._text(graph.Name()),
            description=self._text(model.Description()),
            version=model.Version(),
            tensors=tuple(self._tensor(tensor, buffers) for tensor in self._tables(graph, "Tensors")),
            operators=tuple(self._operator(operator, codes) for operator in self._tables(graph, "Operators")),
            inputs=self._integers(graph, "Inputs"),
            outputs=self._integers(graph, "Outputs"),
            subgraphs=subgraphs,
        )

    def _kind(self, code: Any) -> str:
        """The operator's name; old files keep its number in a byte, new ones in a wider field, LiteRT takes the larger.

        The package's own accessor of the wider field answers with the byte where the number is small, so that the
        field (slot 10 of the table) is read directly.
        """
        from flatbuffers.number_types import Int32Flags

        number = max(code._tab.GetSlot(10, 0, Int32Flags), code.DeprecatedBuiltinCode())
        kind = _names("BuiltinOperator").get(number)
        if kind == "CUSTOM":
            return f"CUSTOM {self._text(code.CustomCode()) or 'without a name'}"
        return kind or f"operator {number}"

    def _buffer(self, buffer: Any) -> NDArray[np.uint8] | None:
        if buffer.Offset() > 1:
            start, size = buffer.Offset(), buffer.Size()
            if start + size > len(self.data):
                raise LoadError(f"a buffer of {size} bytes at {start} ends behind the file of {len(self.data)} bytes")
            return np.frombuffer(self.data, np.uint8, size, start)
        values = self._numbers(buffer, "Data")
        return values if values.size else None

    def _tensor(self, tensor: Any, buffers: list[NDArray[np.uint8] | None]) -> FileTensor:
        name = self._text(tensor.Name())
        if tensor.Type() not in _DTYPES:
            raise LoadError(f"tensor {name!r} has the unknown type {tensor.Type()}")
        if not 0 <= tensor.Buffer() < len(buffers):
            raise LoadError(f"tensor {name!r} is in buffer {tensor.Buffer()}, the file has {len(buffers)}")
        quantization = tensor.Quantization()
        oddity = "sparse" if tensor.Sparsity() is not None else ""
        scale = zero_point = np.zeros(0)
        axis = 0
        if quantization is not None:
            scale, zero_point = self._numbers(quantization, "Scale"), self._numbers(quantization, "ZeroPoint")
            axis = quantization.QuantizedDimension()
            oddity = "block or custom quantization" if quantization.DetailsType() else oddity
        return FileTensor(
            name=name,
            shape=self._integers(tensor, "Shape"),
            dtype=_DTYPES[tensor.Type()],
            data=buffers[tensor.Buffer()],
            scale=scale,
            zero_point=zero_point,
            axis=axis,
            is_variable=bool(tensor.IsVariable()),
            oddity=oddity,
        )

    def _operator(self, operator: Any, codes: list[str]) -> FileOperator:
        index = operator.OpcodeIndex()
        if not 0 <= index < len(codes):
            raise LoadError(f"an operator has the code number {index}, the file has {len(codes)} codes")
        options: dict[str, Any] = {}
        for suffix in ("", "2"):
            kind = getattr(operator, f"BuiltinOptions{suffix}Type")()
            table = getattr(operator, f"BuiltinOptions{suffix}")()
            if kind and table is not None:
                options.update(self._options(codes[index], _names(f"BuiltinOptions{suffix}").get(kind), table))
        return FileOperator(
            kind=codes[index],
            version=0,
            inputs=self._integers(operator, "Inputs"),
            outputs=self._integers(operator, "Outputs"),
            intermediates=self._integers(operator, "Intermediates"),
            options=options,
        )

    def _options(self, kind: str, table_name: str | None, table: Any) -> dict[str, Any]:
        if table_name is None:
            raise UnsupportedError(f"{kind} carries options of a newer schema; update the package tflite")
        options = getattr(_schema(), table_name)()
        options.Init(table.Bytes, table.Pos)
        found: dict[str, Any] = {}
        for method, is_vector in _fields(table_name):
            value = self._integers(options, method) if is_vector else getattr(options, method)()
            name = _snake(method)
            if name in _ENUMS:
                names = _names(_ENUMS[name])
                if value not in names:
                    raise LoadError(f"{kind} has the unknown {name} {value}")
                value = names[value]
            found[name] = value
        return found


@cache
def _fields(table_name: str) -> tuple[tuple[str, bool], ...]:
    """(accessor, is it a vector) of every number or vector of numbers in an options table."""
    methods = vars(getattr(_schema(), table_name))
    found: list[tuple[str, bool]] = []
    for name, method in methods.items():
        if name.startswith("_") or not callable(method) or name in ("Init", "GetRootAs"):
            continue
        if f"{name}AsNumpy" in methods:
            found.append((name, True))
        elif len(signature(method).parameters) == 1 and not re.search(r"(AsNumpy|Length|IsNone)$", name):
            found.append((name, False))
    return tuple(found)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
