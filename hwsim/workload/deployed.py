"""Graph -> Workload: the graph as it is deployed, the loops and widths of every node, the life of every tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import WorkloadError
from hwsim.lifetimes import Buffer, arena_bytes
from hwsim.workload.layers import Layer, Workload, packed_bytes
from refq.graph import Graph, Node


class Held(NamedTuple):
    """How weights would be held: bits at the multiplier, stored bits of one weight, how hardware multiplies by them."""

    bits: int = 8
    stored: float | None = None
    multiplier: Any = "multiply"


def from_graph(graph: Graph, batch: int = 1, weights: int | Held = 8, activations: int = 8) -> Workload:
    """The workload of a graph as it is deployed: batch normalization folded, activations fused.

    Parameters
    ----------
    batch : int >= 1
    weights, activations : bits where the graph is not quantized; a quantized tensor's own grid wins

    Raises
    ------
    WorkloadError    batch below one, open or empty dimensions
    """
    from refq.interpret import infer_shapes
    from refq.layers.registry import layer_class, layer_for
    from refq.transforms import prepare

    assumed = weights if isinstance(weights, Held) else Held(weights)
    if batch < 1:
        raise WorkloadError(f"batch={batch} must be at least 1; give --batch 1 or more")
    for name in graph.inputs:
        shape = graph.tensors[name].shape
        if any(not isinstance(size, int) or size < 1 for size in shape[1:]):
            raise WorkloadError(f"{graph.name!r}: input {name!r} has the open shape {shape}; give --input-shape")
    graph = prepare(graph)
    shapes: dict[str, Any] = {**infer_shapes(graph, batch), "": None}

    def bits(name: str, default: int) -> int:
        grid = graph.tensors[name].qparams
        return default if grid is None else grid.bits

    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update((*graph.inputs, *graph.outputs))
    layers: list[Layer] = []
    made = dict.fromkeys(graph.inputs, -1)
    for node in graph.nodes:
        nest = layer_for(node).nest(*(shapes[name] for name in node.inputs))
        read = tuple(made[name] for name in node.inputs if name in made)
        if nest.kind == "none":
            made.update(dict.fromkeys(node.outputs, max(read, default=-1)))
            continue
        made.update(dict.fromkeys(node.outputs, len(layers)))
        operands = tuple(layer_class(node.op).operands)
        named = [(operands[min(i, len(operands) - 1)].strip("*?"), name) for i, name in enumerate(node.inputs) if name]
        held = [(role, name) for role, name in named if name in graph.constants]
        stored = next((name for role, name in held if role != "b"), "")
        nest = nest.with_weights(graph.tensors[stored].codebook if stored else None)
        if stored and nest.macs and graph.tensors[stored].qparams is None:
            nest = replace(nest, weight_bits=assumed.stored, multiplier=assumed.multiplier)
        activation_bits = bits(node.outputs[0], activations)
        narrow = activation_bits if nest.kind == "matmul" else assumed.bits
        layers.append(
            Layer(
                name=node.name,
                op=node.op,
                nest=nest,
                weight_bits=bits(stored, assumed.bits) if stored else narrow,
                activation_bits=activation_bits,
                weight_key=stored if nest.weights else "",
                weight_entropy_bits=entropy_bits(graph.constants[stored]) if stored and nest.weights else None,
                copied=_copied(node, readers, shapes),
                channels=int(shapes[node.outputs[0]][-1]) if shapes[node.outputs[0]] else 0,
                sources=read,
            )
        )
    if not layers:
        raise WorkloadError(f"{graph.name!r} has no layer that does work; check the model")
    for place in {made.get(name, -1) for name in graph.outputs} - {-1}:
        layers[place] = replace(layers[place], is_output=True)
    return Workload(
        name=graph.name,
        batch=batch,
        layers=tuple(layers),
        weights=max((ceil(la.stored_bits) for la in layers if la.weight_key), default=assumed.bits),
        activations=max(la.activation_bits for la in layers),
        activation_peak_bytes=_peak(graph, shapes, bits, activations),
        input_bytes=sum(_tensor_bytes(shapes[name], bits(name, activations)) for name in graph.inputs),
        output_bytes=sum(_tensor_bytes(shapes[name], bits(name, activations)) for name in graph.outputs),
    )


def _copied(node: Node, readers: Mapping[str, int], shapes: Mapping[str, Any]) -> int:
    """Elements that a concatenation copies; 0 for other operations."""
    if node.op != "Concatenate":
        return 0
    return sum(prod(shapes[name]) for name in node.inputs if readers[name] > 1)


def entropy_bits(codes: NDArray[Any]) -> float | None:
    """-sum p log2 p over the values of 8-bit codes; None for anything wider.

    Examples
    --------
    >>> entropy_bits(np.array([1, 1, 2, 3], np.int8))
    1.5
    """
    if codes.dtype.kind not in "iu" or codes.dtype.itemsize != 1 or not codes.size:
        return None
    counts = np.bincount(np.ascontiguousarray(codes).view(np.uint8).reshape(-1), minlength=256)
    shares = counts[counts > 0] / codes.size
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def _tensor_bytes(shape: tuple[int, ...], bits: int) -> int:
    size = 1
    for length in shape:
        size *= length
    return packed_bytes(size, bits)


def _peak(graph: Graph, shapes: Any, bits: Any, activations: int) -> int:
    """Bytes of the arena that holds every activation: a tensor lives from its producer to its last reader, inputs from
    the start, outputs to the end; a reshape shares its input."""
    alias: dict[str, str] = {}
    for node in graph.nodes:
        if node.op in ("Reshape", "Flatten") and node.inputs[0] not in graph.constants:
            alias[node.outputs[0]] = alias.get(node.inputs[0], node.inputs[0])
    first: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[str, int] = dict(first)
    for position, node in enumerate(graph.nodes):
        for name in (*node.inputs, *node.outputs):
            if name and name not in graph.constants:
                first.setdefault(alias.get(name, name), position)
                last[alias.get(name, name)] = position
    for name in graph.outputs:
        last[alias.get(name, name)] = len(graph.nodes)
    return arena_bytes(
        [
            Buffer(name=name, size=_tensor_bytes(shapes[name], bits(name, activations)), first=start, last=last[name])
            for name, start in first.items()
        ]
    )
