"""Expansion: several nodes in the place of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import Graph, Node, TensorSpec
from refq.layers import layer_for


class Expansion:
    """Nodes under construction, named after the one they replace.

    Parameters
    ----------
    graph : where tensors that exist already are looked up
    node : the one that is replaced; the last node added writes its output, with its clamp
    """

    def __init__(self, graph: Graph, node: Node) -> None:
        self.node = node
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorSpec] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self._known = graph.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor of the graph or of the expansion."""
        return (self.tensors[name] if name in self.tensors else self._known[name]).shape

    def add(self, op: str, key: str, *inputs: str, **attrs: Any) -> str:
        """One more node; the name of its output."""
        name = f"{self.node.name}/{key}"
        made = Node(op=op, name=name, inputs=inputs, outputs=(name,), attrs=attrs)
        shape = layer_for(made).infer_shape(*(self.shape(read) if read else None for read in inputs))
        self.tensors[name] = TensorSpec(name=name, shape=shape)
        self.nodes.append(made)
        return name

    def again(self, key: str, first: str) -> str:
        """The replaced operation on another first input, with the same weights."""
        return self.add(self.node.op, key, first, *self.node.inputs[1:], **self.node.attrs)

    def constant(self, key: str, value: float) -> str:
        """One more constant of a single number."""
        name = f"{self.node.name}/{key}"
        self.constants[name] = np.array(value, np.float32)
        self.tensors[name] = TensorSpec(name=name, shape=())
        return name

    def settled(self) -> tuple[Node, ...]:
        """The nodes; the last one writes what the replaced one wrote."""
        *others, last = self.nodes
        return *others, replace(last, outputs=self.node.outputs, clamp=self.node.clamp)
