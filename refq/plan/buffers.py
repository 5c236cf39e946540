"""Buffers that tensors take in turns: memory of a tensor is given on when the last node has read it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refq.graph import Graph
from refq.interpret import Array


def last_readers(graph: Graph) -> dict[str, int]:
    """The number of the last node that reads each tensor; outputs of the graph are read after all nodes."""
    readers = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs if name}
    return readers | dict.fromkeys(graph.outputs, len(graph.nodes))


def most_held(graph: Graph, sizes: Mapping[str, int]) -> int:
    """The most elements of tensors, of `sizes` by name, that have to be held at any node."""
    last, held = last_readers(graph), sum(sizes[name] for name in graph.inputs)
    most = held
    for number, node in enumerate(graph.nodes):
        held += sum(sizes[name] for name in node.outputs)
        most = max(most, held)
        done = {name for name in node.inputs if name in sizes and last[name] == number}
        unread = {name for name in node.outputs if name not in last}
        held -= sum(sizes[name] for name in done | unread)
    return most


class Pool:
    """Memory for the quantized tensors of a graph.

    Parameters
    ----------
    shares : whether memory is given on; else every tensor has its own
    """

    def __init__(self, graph: Graph, shares: bool) -> None:
        self._graph, self._shares = graph, shares
        self._last = last_readers(graph)
        self._free: list[Array] = []
        self._taken: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array for a tensor: the smallest free piece of memory that holds it, or a new one."""
        grid = self._graph.tensors[name].qparams
        dtype = np.dtype(self._graph.tensors[name].dtype if grid is None else grid.dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        fits = [i for i, memory in enumerate(self._free) if memory.size >= size]
        place = min(fits, key=lambda i: self._free[i].size, default=None)
        memory = np.zeros(size, np.uint8) if place is None else self._free.pop(place)
        self._taken[name] = memory
        return memory[:size].view(dtype).reshape(shape)

    def view(self, name: str, of: str) -> None:
        """A tensor that stands in another's memory."""
        self._taken[name] = self._taken[of]

    def release(self, number: int) -> None:
        """Node `number` is done: free what no tensor that is still to be read stands in."""
        if not self._shares:
            return
        done = [name for name in self._taken if self._last.get(name, -1) <= number]
        gone = [self._taken.pop(name) for name in done]
        held = {id(memory) for memory in self._taken.values()}
        self._free += {id(memory): memory for memory in gone if id(memory) not in held}.values()
