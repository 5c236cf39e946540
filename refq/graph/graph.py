"""Graph, Node, TensorSpec: a model as a frozen value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError
from refq.graph.codebook import Codebook
from refq.graph.qparams import QParams


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, shape and grid of one tensor.

    Parameters
    ----------
    name : str                 the file's own name
    shape : tuple of int       the leading axis is the batch, 1 unless the file fixes another
    dtype : str                float32, int32, int8 ... (of the values in the file)
    qparams : QParams or None  the integer grid; None = real-valued
    codebook : Codebook or None    how an integer weight tensor is held; it decodes to the constant exactly
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    qparams: QParams | None = None
    codebook: Codebook | None = None

    def __str__(self) -> str:
        grid = ""
        if self.qparams is not None:
            q = self.qparams
            if q.axis is None:
                grid = f" int{q.bits} scale={float(q.scale):.6g} zero_point={int(q.zero_point)}"
            else:
                grid = f" int{q.bits} {q.scale.size} scales along axis {q.axis}"
        return f"{self.name}: {self.dtype}{list(self.shape)}{grid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation.

    Parameters
    ----------
    op : str                             a name in the layer registry
    name : str                           unique in the graph
    inputs : tuple of str                tensor names in the layer's order; "" = an optional input that is absent
    outputs : tuple of str
    attrs : mapping                      the layer's fields, JSON values (tuples for lists)
    clamp : (low, high) or None          fused activation: the real output is limited to [low, high]
                                         (ReLU = (0, inf), ReLU6 = (0, 6)); on codes, the images of the two limits
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clamp: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", MappingProxyType(dict(self.attrs)))

    @property
    def output(self) -> str:
        """The only output; GraphError if there are several."""
        if len(self.outputs) != 1:
            raise GraphError(f"{self.op} {self.name!r} has {len(self.outputs)} outputs, one was expected")
        return self.outputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model: nodes in execution order, tensors, constants.

    Parameters
    ----------
    name : str
    nodes : tuple of Node, each after the producers of its inputs
    tensors : mapping name -> TensorSpec, for inputs, constants and every output of a node
    constants : mapping name -> ndarray (read-only). Reals, or codes where the array is integer and the spec has qparams
    inputs, outputs : tuple of str
    meta : mapping of str -> str       where the graph came from: format, writer, what the reader had to decide
    shape_only : frozenset of str      constants whose values the file never held; their arrays are placeholders of zero
                                       stride, good for shapes and costs, and no path runs them

    Raises
    ------
    GraphError    a tensor without a producer or spec, two producers, a node out of order, a codebook beside no constant
    ShapeError, RangeError    a codebook that does not decode to its constant
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorSpec]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    shape_only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for array in self.constants.values():
            array.setflags(write=False)
        for attribute in ("tensors", "constants", "meta"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))
        self._check()

    def _check(self) -> None:
        known = set(self.inputs) | set(self.constants)
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                raise GraphError(f"two nodes are called {node.name!r}; names must be unique")
            names.add(node.name)
            for name in node.inputs:
                if name and name not in known:
                    raise GraphError(f"{node.op} {node.name!r} reads {name!r}, which nothing before it produces")
            for name in node.outputs:
                if name in known:
                    raise GraphError(f"{node.op} {node.name!r} writes {name!r}, which already has a producer")
                known.add(name)
        for name in self.outputs:
            if name not in known:
                raise GraphError(f"graph output {name!r} has no producer")
        for name in known:
            if name not in self.tensors:
                raise GraphError(f"tensor {name!r} has no TensorSpec")
        for name, spec in self.tensors.items():
            if spec.codebook is not None and name not in self.shape_only:
                if name not in self.constants or spec.qparams is None:
                    raise GraphError(f"tensor {name!r} has a codebook, but no constant or no grid")
                spec.codebook.check_holds(name, self.constants[name])

    def producer(self, tensor: str) -> Node | None:
        """The node that writes `tensor`; None for inputs and constants."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """The nodes that read `tensor`, in execution order."""
        return tuple(node for node in self.nodes if tensor in node.inputs)

    def use_counts(self) -> Counter[str]:
        """How often each tensor is read; being a graph output counts as one more."""
        counts = Counter(name for node in self.nodes for name in node.inputs if name)
        counts.update(self.outputs)
        return counts

    def activations(self) -> Iterator[TensorSpec]:
        """Specs of the graph inputs, then of every node output, in execution order."""
        for name in self.inputs:
            yield self.tensors[name]
        for node in self.nodes:
            for name in node.outputs:
                yield self.tensors[name]

    @property
    def is_quantized(self) -> bool:
        """Whether any tensor has an integer grid."""
        return any(spec.qparams is not None for spec in self.tensors.values())

    @property
    def parameter_count(self) -> int:
        """Elements in all constants, those of shape-only models included."""
        return sum(int(np.prod(self.tensors[name].shape)) for name in self.constants)

    def with_nodes(
        self,
        nodes: Iterable[Node],
        *,
        tensors: Mapping[str, TensorSpec] | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
    ) -> Graph:
        """The same inputs and outputs over other nodes; tensors and constants no node reads are dropped."""
        nodes = tuple(nodes)
        tensors = dict(self.tensors if tensors is None else tensors)
        constants = dict(self.constants if constants is None else constants)
        read = {name for node in nodes for name in node.inputs} | set(self.outputs)
        live = {*self.inputs, *(name for node in nodes for name in node.outputs), *(read & set(constants))}
        return replace(
            self,
            nodes=nodes,
            tensors={name: spec for name, spec in tensors.items() if name in live},
            constants={name: array for name, array in constants.items() if name in read},
            shape_only=self.shape_only & read,
        )

    def __str__(self) -> str:
        lines = [f"Graph {self.name!r}: {len(self.nodes)} nodes, {self.parameter_count:,} parameters"]
        lines += [f"  in  {self.tensors[name]}" for name in self.inputs]
        for node in self.nodes:
            clamp = "" if node.clamp is None else f" clamp{node.clamp}"
            written = ", ".join(str(self.tensors[name]) for name in node.outputs)
            lines.append(f"  {node.op} {node.name!r}{clamp} -> {written}")
        lines += [f"  out {name}" for name in self.outputs]
        return "\n".join(lines)
