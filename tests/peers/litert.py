"""One-operator .tflite models written from plain data, and LiteRT to run them: the live judge of the integer rules.

x = Tensor("x", (1, 4), "int8", scale=0.5, zero_point=3)
y = Tensor("y", (1, 4), "int8", scale=0.1, zero_point=-7)
model = single("LOGISTIC", [x], [y])
(codes,) = run(model, [np.zeros((1, 4), np.int8)])
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_BITS = {"int2": 2, "int4": 4, "uint4": 4}
_RESOLVERS = {"reference": "BUILTIN_REF", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "xnnpack": "AUTO"}
_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "mode": "MirrorPadMode",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "output_type": "TensorType",
    "quantized_bias_type": "TensorType",
}
_TABLES = {  # operators whose options table does not carry their own name
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_ALL": "ReducerOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
    "TOPK_V2": "TopKV2Options",
    "ELU": "",
}


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    scale: Any = None
    zero_point: Any = 0
    axis: int = 0
    data: Any = None
    is_variable: bool = False
    shape_signature: Sequence[int] | None = None


@dataclass(frozen=True)
class Tensor(_Defaults):
    """A tensor; `data` makes it a constant. dtype as in the schema, lower case (int4 data: one code an element).

    scale, zero_point : numbers, or sequences along `axis`
    """

    name: str
    shape: Sequence[int]
    dtype: str = "int8"


@dataclass(frozen=True)
class Op:
    """An operator over tensor names; "" = an absent input, a number is a tensor index that nobody checks.

    Options by the schema's field names, enums by theirs.

    table : options table, found from the code if left out; custom_code : makes it a custom operator
    """

    code: str
    inputs: Sequence[str | int]
    outputs: Sequence[str | int]
    options: dict[str, Any] = field(default_factory=dict)
    intermediates: Sequence[str] = ()
    table: str | None = None
    version: int = 1
    custom_code: str = ""


def build(tensors: Iterable[Tensor], ops: Iterable[Op], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The bytes of a .tflite file with one subgraph."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tensors, ops = list(tensors), list(ops)
    places = {tensor.name: index for index, tensor in enumerate(tensors)}

    def place(name: str | int) -> int:
        return name if isinstance(name, int) else places[name] if name else -1

    buffers = [schema.BufferT()]
    made = [_tensor(schema, tensor, buffers) for tensor in tensors]
    codes = list(dict.fromkeys((op.code, op.version, op.custom_code) for op in ops))
    model = schema.ModelT()
    model.version, model.description, model.buffers = 3, "", buffers
    model.operatorCodes = [_operator_code(schema, *code) for code in codes]
    graph = schema.SubGraphT()
    graph.name, graph.tensors = "main", made
    graph.inputs, graph.outputs = list(map(place, inputs)), list(map(place, outputs))
    graph.operators = []
    for op in ops:
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index((op.code, op.version, op.custom_code))
        operator.inputs = list(map(place, op.inputs))
        operator.outputs = list(map(place, op.outputs))
        operator.intermediates = list(map(place, op.intermediates))
        _set_options(schema, operator, op)
        graph.operators.append(operator)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def single(
    code: str,
    inputs: Sequence[Tensor | None],
    outputs: Sequence[Tensor],
    options: dict[str, Any] | None = None,
    **others: Any,
) -> bytes:
    """A model of one operator. Inputs without data, and not variable, are the model's inputs; None is absent."""
    given = [tensor for tensor in inputs if tensor is not None]
    op = Op(code, ["" if t is None else t.name for t in inputs], [t.name for t in outputs], options or {}, **others)
    fed = [t.name for t in given if t.data is None and not t.is_variable]
    unique = {t.name: t for t in (*given, *outputs)}
    return build(unique.values(), [op], fed, [t.name for t in outputs])


def interpreter(model: bytes, resolver: str = "reference", keep: bool = False) -> Any:
    """A LiteRT interpreter, tensors allocated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ai_edge_litert import interpreter as litert

        made = litert.Interpreter(
            model_content=model,
            experimental_op_resolver_type=litert.OpResolverType[_RESOLVERS[resolver]],
            experimental_preserve_all_tensors=keep,
            num_threads=1,
        )
        made.allocate_tensors()
    return made


def run(model: bytes, inputs: Sequence[Any], resolver: str = "reference") -> list[Any]:
    """The model's outputs for inputs in the model's order."""
    made = _invoked(model, inputs, resolver, keep=False)
    return [made.get_tensor(detail["index"]) for detail in made.get_output_details()]


def run_all(model: bytes, inputs: Sequence[Any], resolver: str = "reference") -> dict[int, Any]:
    """Every tensor of the file that holds a value after a run: index -> array."""
    made = _invoked(model, inputs, resolver, keep=True)
    found: dict[int, Any] = {}
    for detail in made.get_tensor_details():
        try:
            found[detail["index"]] = made.get_tensor(detail["index"])
        except ValueError:  # temporaries of a kernel, and int4, which LiteRT does not hand out
            continue
    return found


def _invoked(model: bytes, inputs: Sequence[Any], resolver: str, keep: bool) -> Any:
    made = interpreter(model, resolver, keep)
    details = made.get_input_details()
    if len(details) != len(inputs):
        raise ValueError(f"the model takes {len(details)} inputs, {len(inputs)} were given")
    for detail, value in zip(details, inputs, strict=True):
        made.set_tensor(detail["index"], np.asarray(value))
    made.invoke()
    return made


def _operator_code(schema: Any, code: str, version: int, custom_code: str) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, "CUSTOM" if custom_code else code)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)
    made.version, made.customCode = version, custom_code or None
    return made


def _tensor(schema: Any, tensor: Tensor, buffers: list[Any]) -> Any:
    made = schema.TensorT()
    made.name, made.shape = tensor.name, [int(size) for size in tensor.shape]
    made.shapeSignature = None if tensor.shape_signature is None else list(tensor.shape_signature)
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    made.isVariable, made.hasRank = tensor.is_variable, True
    made.buffer = 0
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(_packed(tensor), np.uint8)
        buffers.append(buffer)
        made.buffer = len(buffers) - 1
    if tensor.scale is not None:
        grid = schema.QuantizationParametersT()
        grid.scale = np.atleast_1d(np.asarray(tensor.scale, np.float32))
        grid.zeroPoint = np.broadcast_to(np.asarray(tensor.zero_point, np.int64), grid.scale.shape).copy()
        grid.quantizedDimension = tensor.axis
        made.quantization = grid
    return made


def _packed(tensor: Tensor) -> bytes:
    """The buffer's bytes: sub-byte codes fill a byte from its low end."""
    bits = _BITS.get(tensor.dtype)
    if bits is None:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(tensor.data, tensor.dtype), tensor.shape)).tobytes()
    codes = np.asarray(tensor.data, np.int64).reshape(-1) & ((1 << bits) - 1)
    per_byte = 8 // bits
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.int64)]).reshape(-1, per_byte)
    return (codes << (bits * np.arange(per_byte))).sum(axis=1).astype(np.uint8).tobytes()


def _set_options(schema: Any, operator: Any, op: Op) -> None:
    names = {name.lower(): name for name in (*vars(schema.BuiltinOptions), *vars(schema.BuiltinOptions2))}
    table = op.table if op.table is not None else _TABLES.get(op.code)
    if table is None:
        table = names.get(op.code.replace("_", "").lower() + "options", "")
    if not table or op.custom_code:
        if op.options:
            raise ValueError(f"{op.code} has no options table; name one with table=")
        return
    options = getattr(schema, f"{table}T")()
    for name, value in op.options.items():
        attribute = re.sub(r"_(\w)", lambda match: match[1].upper(), name)
        if not hasattr(options, attribute):
            raise ValueError(f"{table} has no field {name}")
        if isinstance(value, str):
            value = getattr(getattr(schema, _ENUMS[name]), value.upper())
        setattr(options, attribute, list(value) if isinstance(value, tuple) else value)
    suffix = "" if hasattr(schema.BuiltinOptions, table) else "2"
    setattr(operator, f"builtinOptions{suffix}Type", getattr(getattr(schema, f"BuiltinOptions{suffix}"), table))
    setattr(operator, f"builtinOptions{suffix}", options)
