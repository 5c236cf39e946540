"""Building the graph: nodes, tensors and constants as converters emit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, ShapeError, blame
from refq.graph import Graph, Node, TensorSpec
from refq.io.keras.archive import Weight
from refq.layers import layer_for

_LARGEST = 1 << 40


@dataclass(frozen=True, slots=True)
class Tensor:
    """An activation of the graph under construction."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a converter sees of one layer call.

    name : name of the output tensor; layer : name of the layer, shared by its calls; major : major version of Keras
    """

    name: str
    layer: str
    kind: str
    config: dict[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]
    weights: list[Weight] = field(default_factory=list[Weight])
    major: int = 3

    @property
    def inputs(self) -> list[Tensor]:
        """All tensors among the positional arguments, lists flattened."""
        return _tensors(self.args)

    @property
    def x(self) -> Tensor:
        """The only input tensor."""
        if len(self.inputs) != 1:
            raise LoadError(f"{self.kind} {self.layer!r} takes one input, the file gives {len(self.inputs)}")
        return self.inputs[0]


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


class Builder:
    """Collects a graph. Every `emit` infers the output's shape, so a contradiction is found at its layer."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.shape_only: set[str] = set()
        self.inputs: list[str] = []

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
        """Declare a graph input."""
        self._check_size(name, shape)
        self.tensors[name] = TensorSpec(name=name, shape=shape, dtype=dtype)
        self.inputs.append(name)
        return Tensor(name, shape)

    def constant(self, name: str, values: Any, is_shape_only: bool = False) -> Tensor:
        """Add a constant; one of the same name (a layer called again) is reused."""
        if name not in self.constants:
            values = np.asarray(values)
            if values.dtype.kind == "f":
                values = values if is_shape_only else np.ascontiguousarray(values, np.float32)
            if is_shape_only:
                values = np.broadcast_to(np.float32(0), values.shape)
                self.shape_only.add(name)
            self.constants[name] = values
            self.tensors[name] = TensorSpec(name=name, shape=values.shape, dtype=str(values.dtype))
        return Tensor(name, self.constants[name].shape)

    def weight(
        self,
        call: Call,
        position: int,
        name: str,
        expected: tuple[int, ...],
        change: Callable[[Any], Any] | None = None,
    ) -> Tensor:
        """A layer's variable as a constant, its shape checked against the configuration."""
        if position >= len(call.weights):
            raise LoadError(
                f"{call.kind} {call.layer!r} needs a weight {name!r} of shape {expected}, the file holds "
                f"{len(call.weights)} weights for this layer"
            )
        weight = call.weights[position]
        if weight.values.shape != expected:
            raise ShapeError(
                f"{call.kind} {call.layer!r}: weight {name!r} has shape {weight.values.shape}, "
                f"its configuration and input give {expected}"
            )
        values = weight.values if change is None else change(weight.values)
        return self.constant(f"{call.layer}/{name}", values, weight.is_shape_only)

    def emit(self, op: str, name: str, inputs: list[Tensor | None], output: str | None = None, **attrs: Any) -> Tensor:
        """Add a node; `output` is its tensor's name, the node's own name if left out."""
        output = name if output is None else output
        names = tuple("" if tensor is None else tensor.name for tensor in inputs)
        node = Node(op=op, name=name, inputs=names, outputs=(output,), attrs=attrs)
        with blame(node):
            shape = layer_for(node).infer_shape(*(None if tensor is None else tensor.shape for tensor in inputs))
        self._check_size(output, shape)
        self.nodes.append(node)
        self.tensors[output] = TensorSpec(name=output, shape=shape)
        return Tensor(output, shape)

    def graph(self, name: str, outputs: list[Tensor], meta: dict[str, str]) -> Graph:
        """The finished graph; nodes that reach no output are dropped."""
        needed = {tensor.name for tensor in outputs}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        names = {*needed, *self.inputs, *(o for node in kept for o in node.outputs)}
        constants = {k: v for k, v in self.constants.items() if k in needed}
        return Graph(
            name=name,
            nodes=tuple(reversed(kept)),
            tensors={k: v for k, v in self.tensors.items() if k in names},
            constants=constants,
            inputs=tuple(self.inputs),
            outputs=tuple(tensor.name for tensor in outputs),
            meta=meta,
            shape_only=frozenset(self.shape_only & set(constants)),
        )

    @staticmethod
    def _check_size(name: str, shape: tuple[int, ...]) -> None:
        if prod(shape) > _LARGEST or any(size < 1 for size in shape):
            raise ShapeError(f"tensor {name!r} has the unusable shape {shape}")
