"""From an ONNX file to a Graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from refq.errors import LoadError, RefqError, ShapeError, UnsupportedError
from refq.graph import Graph
from refq.io.damage import told
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converter, key, supported_ops
from refq.io.onnx.folding import fold, folded_ops
from refq.io.onnx.fusing import fuse
from refq.io.onnx.tensors import array_of, type_name

_LOWEST_OPSET = 7


def read_onnx(path: Path, input_shape: Sequence[int] | None = None) -> Graph:
    """Read an .onnx file; parameters and errors as in `refq.load`, `input_shape` in the file's order."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UnsupportedError(f"{path}: .onnx files need the onnx package; pip install 'refq[onnx]'") from error
    with told(path, "contradicts itself"):
        try:
            model = onnx.load_model_from_string(path.read_bytes())
        except DecodeError as error:
            raise LoadError("not a whole ONNX file: its protobuf is truncated or damaged") from error
        return _Reader(model, path.parent, input_shape).graph(path.stem)


class _Reader:
    """One model on its way to a graph."""

    def __init__(self, model: Any, folder: Path, input_shape: Sequence[int] | None) -> None:
        self.model, self.file, self.folder, self.input_shape = model, model.graph, folder, input_shape
        if not self.file.node and not self.file.input and not self.file.output:
            raise LoadError("holds no ONNX graph")
        self.opsets = self._opsets()
        self._check_operators()
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for node in self.file.node:
            for name in node.input:
                self.readers[name].append(node)
        outputs = {value.name for value in self.file.output}
        taken = {value.name for value in (*self.file.input, *self.file.initializer)}
        taken |= {name for node in self.file.node for name in node.output}
        self.builder = Builder(taken, outputs, self.readers)
        self.values: dict[str, Tensor] = {}
        self.names: set[str] = set()

    def graph(self, stem: str) -> Graph:
        """Convert every node."""
        for proto in self.file.initializer:
            if proto.name in self.values:
                raise LoadError(f"two initializers are called {proto.name!r}")
            self.values[proto.name] = self._constant(proto.name, proto)
        if self.file.sparse_initializer:
            raise UnsupportedError("holds sparse initializers; save the model with dense ones")
        for value in self.file.input:
            if value.name in self.builder.tensors:
                raise LoadError(f"two inputs are called {value.name!r}")
            if value.name not in self.values:  # an initializer of the same name is the input's default: a constant
                self.values[value.name] = self._input(value)
        for node in self._sorted():
            self._convert(node)
        missing = [value.name for value in self.file.output if value.name not in self.values]
        if missing or not self.file.output:
            raise LoadError(f"graph output {missing[0]!r} has no producer" if missing else "the graph has no output")
        outputs = [self.values[value.name] for value in self.file.output]
        producer = " ".join(filter(None, (self.model.producer_name, self.model.producer_version)))
        meta = {"format": "onnx", "opset": str(self.opsets[""])}
        if producer:
            meta["producer"] = producer
        return fuse(self.builder.graph(self.file.name or stem, outputs, meta))

    def _opsets(self) -> dict[str, int]:
        import onnx

        found = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in self.model.opset_import}
        version, newest = found.setdefault("", 0), onnx.defs.onnx_opset_version()
        if not _LOWEST_OPSET <= version <= newest:
            raise UnsupportedError(
                f"operator set {version} is outside {_LOWEST_OPSET}..{newest}; export the model again, or convert it "
                "with onnx.version_converter"
            )
        return found

    def _check_operators(self) -> None:
        running = supported_ops()
        known = {*running, *folded_ops()}
        unknown = [
            (key(node.domain, node.op_type), node.name or next(iter(node.output), "")) for node in self.file.node
        ]
        unknown = [f"{op} {name!r}" for op, name in unknown if op not in known]
        if unknown:
            raise UnsupportedError(
                f"no converter for {', '.join(dict.fromkeys(unknown))}; supported are {', '.join(running)}, and on "
                f"constants {', '.join(sorted(known - {*running}))}"
            )

    def _constant(self, name: str, proto: Any) -> Tensor:
        value = array_of(proto, self.folder)
        return Tensor(name=name, shape=value.shape, dtype=value.dtype.name, value=value)

    def _input(self, value: Any) -> Tensor:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            raise UnsupportedError(f"input {value.name!r} is a {kind or 'value without type'}; only tensors are read")
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            raise LoadError(f"input {value.name!r} has no shape, not even a rank; export the model with one")
        sizes: list[Any] = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim]
        if sizes and not sizes[0]:
            sizes[0] = 1  # a symbolic leading axis is the batch
        if self.input_shape is not None and not self.builder.inputs:
            if len(self.input_shape) != len(sizes) - 1:
                raise ShapeError(f"input_shape={tuple(self.input_shape)} does not fit {value.name!r} of shape {sizes}")
            sizes[1:] = self.input_shape
        if any(size is None for size in sizes):
            raise ShapeError(
                f"input {value.name!r} leaves sizes open: {sizes}; give those after the batch in the file's order, "
                "with input_shape=C,H,W (--input-shape C,H,W)"
            )
        return self.builder.input(value.name, tuple(map(int, sizes)), type_name(tensor.elem_type))

    def _sorted(self) -> list[Any]:
        """Nodes, each after the producers of its inputs."""
        makers: dict[str, int] = {}
        for place, node in enumerate(self.file.node):
            for name in filter(None, node.output):
                if name in makers or name in self.values:
                    raise LoadError(f"tensor {name!r} is written twice; every tensor needs one producer")
                makers[name] = place
        waits = [0] * len(self.file.node)
        wakes: dict[int, list[int]] = defaultdict(list)
        for place, node in enumerate(self.file.node):
            for name in filter(None, node.input):
                if name in makers:
                    waits[place] += 1
                    wakes[makers[name]].append(place)
                elif name not in self.values:
                    raise LoadError(f"{node.op_type} {node.name!r} reads {name!r}, which nothing produces")
        waiting = [place for place, count in enumerate(waits) if count == 0]
        ready: list[int] = []
        while waiting:  # a heap, so that nodes keep the file's order where it is one
            ready.append(heappop(waiting))
            for later in wakes[ready[-1]]:
                waits[later] -= 1
                if waits[later] == 0:
                    heappush(waiting, later)
        if len(ready) < len(waits):
            stuck = next(node for place, node in enumerate(self.file.node) if waits[place])
            raise LoadError(f"{stuck.op_type} {stuck.name!r} stands in a cycle: it waits for its own result")
        return [self.file.node[place] for place in ready]

    def _convert(self, node: Any) -> None:
        name = node.name or next(filter(None, node.output), node.op_type)
        while name in self.names:
            name = f"{name}:{len(self.names)}"
        self.names.add(name)
        domain = "" if node.domain == "ai.onnx" else node.domain
        call = Call(
            op=node.op_type,
            domain=domain,
            name=name,
            opset=self.opsets.get(domain, 1),
            inputs=[self.values[i] if i else None for i in node.input],
            outputs=list(node.output),
            attrs={a.name: _attribute(a, self.folder) for a in node.attribute},
        )
        subject = f"{key(domain, call.op)} {name!r}"
        try:
            found = self._results(call)
        except RefqError as error:
            text = str(error)
            raise type(error)(text if repr(name) in text else f"{subject}: {text}") from error
        except Exception as error:
            raise LoadError(f"{subject} is malformed: {type(error).__name__}: {error}") from error
        for output, tensor in zip(call.outputs, found, strict=False):
            if output:
                self.values[output] = tensor
                self.builder.file_names[tensor.name] = output
        for output in filter(None, call.outputs[len(found) :]):
            if self.readers.get(output) or output in self.builder.outputs:
                raise UnsupportedError(
                    f"{subject}: output {output!r} is used, and only the first {len(found)} are read"
                )

    def _results(self, call: Call) -> list[Tensor]:
        if not any(call.outputs):
            return []
        folded = fold(call)
        if folded is not None:
            return folded
        convert = converter(call)
        if convert is None:
            inputs = [
                t if t is None else (t.dtype, "constant" if t.value is not None else "computed") for t in call.inputs
            ]
            raise UnsupportedError(f"no converter for this use of the operator, with inputs {inputs}")
        result = convert(self.builder, call)
        return list(result) if isinstance(result, list | tuple) else [result]


def _attribute(attribute: Any, folder: Path) -> Any:
    """An attribute as a Python value; graphs are refused, tensors become arrays."""
    import onnx

    kinds = onnx.AttributeProto
    if attribute.type in (kinds.GRAPH, kinds.GRAPHS):
        raise UnsupportedError(f"attribute {attribute.name!r} holds a graph; only plain operators are read")
    if attribute.type == kinds.TENSOR:
        return array_of(attribute.t, folder)
    if attribute.ref_attr_name:
        raise LoadError(f"attribute {attribute.name!r} refers to {attribute.ref_attr_name!r} outside a function")
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == kinds.STRING:
        return value.decode("utf-8")
    if attribute.type == kinds.STRINGS:
        return tuple(item.decode("utf-8") for item in value)
    return tuple(value) if attribute.type in (kinds.INTS, kinds.FLOATS) else value
