"""Graph -> Workload: loop nests with bit widths, the only place where hwsim meets refq.

macs = sum(nest.macs)    weight_bytes = sum over distinct weights of ceil(elements * bits / 8) + 4 bytes a bias
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.errors import WorkloadError
from refq.graph import Graph, LoopNest

__all__ = ["Layer", "LoopNest", "Workload", "from_graph", "from_layers", "load_workload"]

BIAS_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the deployed graph: what it is, its loops, its bit widths.

    weight_key : name of the stored weights; layers with equal keys share one copy, "" = none
    """

    name: str
    op: str
    nest: LoopNest
    weight_bits: int = 8
    activation_bits: int = 8
    weight_key: str = ""

    @property
    def weight_bytes(self) -> int:
        """Bytes of the stored parameters."""
        return -(-self.nest.weights * self.weight_bits // 8) + BIAS_BYTES * self.nest.biases


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A model as hardware sees it; totals are over one inference of `batch` inputs."""

    name: str
    batch: int
    layers: tuple[Layer, ...]
    weights: int
    activations: int
    activation_peak_bytes: int
    input_bytes: int
    output_bytes: int

    @property
    def macs(self) -> int:
        return sum(layer.nest.macs for layer in self.layers)

    @property
    def params(self) -> int:
        return sum(layer.nest.weights + layer.nest.biases for layer in _distinct(self.layers))

    @property
    def weight_bytes(self) -> int:
        return sum(layer.weight_bytes for layer in _distinct(self.layers))


def _distinct(layers: Iterable[Layer]) -> Iterable[Layer]:
    seen: set[str] = set()
    for layer in layers:
        if not layer.weight_key or layer.weight_key not in seen:
            seen.add(layer.weight_key)
            yield layer


def _bytes(elements: int, bits: int) -> int:
    return -(-elements * bits // 8)


def from_layers(layers: Iterable[Layer], name: str = "layers", batch: int = 1) -> Workload:
    """A workload from hand-made layers in sequence; the peak is the largest input plus output of one layer."""
    layers = tuple(layers)
    if not layers:
        raise WorkloadError(f"workload {name!r} has no layers; give at least one")
    sizes = [_bytes(sum(la.nest.inputs) + la.nest.outputs, la.activation_bits) for la in layers]
    first, last = layers[0], layers[-1]
    return Workload(
        name=name,
        batch=batch,
        layers=layers,
        weights=max(layer.weight_bits for layer in layers),
        activations=max(layer.activation_bits for layer in layers),
        activation_peak_bytes=max(sizes),
        input_bytes=_bytes(sum(first.nest.inputs), first.activation_bits),
        output_bytes=_bytes(last.nest.outputs, last.activation_bits),
    )


def from_graph(graph: Graph, batch: int = 1, weights: int = 8, activations: int = 8) -> Workload:
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

    layers: list[Layer] = []
    for node in graph.nodes:
        nest = layer_for(node).nest(*(shapes[name] for name in node.inputs))
        if nest.kind == "none":
            continue
        operands = tuple(layer_class(node.op).operands)
        named = [(operands[min(i, len(operands) - 1)].strip("*?"), name) for i, name in enumerate(node.inputs) if name]
        held = [(role, name) for role, name in named if name in graph.constants]
        stored = next((name for role, name in held if role != "b"), "")
        activation_bits = bits(node.outputs[0], activations)
        narrow = activation_bits if nest.kind == "matmul" else weights
        layers.append(
            Layer(
                name=node.name,
                op=node.op,
                nest=nest,
                weight_bits=bits(stored, weights) if stored else narrow,
                activation_bits=activation_bits,
                weight_key=stored if nest.weights else "",
            )
        )
    if not layers:
        raise WorkloadError(f"{graph.name!r} has no layer that does work; check the model")
    return Workload(
        name=graph.name,
        batch=batch,
        layers=tuple(layers),
        weights=max((la.weight_bits for la in layers if la.weight_key), default=weights),
        activations=max(la.activation_bits for la in layers),
        activation_peak_bytes=_peak(graph, shapes, bits, activations),
        input_bytes=sum(_tensor_bytes(shapes[name], bits(name, activations)) for name in graph.inputs),
        output_bytes=sum(_tensor_bytes(shapes[name], bits(name, activations)) for name in graph.outputs),
    )


def _tensor_bytes(shape: tuple[int, ...], bits: int) -> int:
    size = 1
    for length in shape:
        size *= length
    return _bytes(size, bits)


def _peak(graph: Graph, shapes: Any, bits: Any, activations: int) -> int:
    """Most bytes alive at once: a tensor lives from its producer to its last reader; a reshape shares its input."""
    alias: dict[str, str] = {}
    for node in graph.nodes:
        if node.op in ("Reshape", "Flatten") and node.inputs[0] not in graph.constants:
            alias[node.outputs[0]] = alias.get(node.inputs[0], node.inputs[0])
    last: dict[str, int] = {}
    for position, node in enumerate(graph.nodes):
        for name in (*node.inputs, *node.outputs):
            if name and name not in graph.constants:
                last[alias.get(name, name)] = position
    for name in graph.outputs:
        last[alias.get(name, name)] = len(graph.nodes)
    size = {name: _tensor_bytes(shapes[name], bits(name, activations)) for name in last}
    alive = {name for name in graph.inputs if name in last}
    peak = sum(size[name] for name in alive)
    for position, node in enumerate(graph.nodes):
        alive |= {alias.get(name, name) for name in node.outputs}
        peak = max(peak, sum(size[name] for name in alive))
        alive = {name for name in alive if last[name] > position}
    return peak


def load_workload(
    path: str | Path,
    *,
    batch: int = 1,
    weights: int = 8,
    activations: int = 8,
    input_shape: Sequence[int] | None = None,
    recipe: str | Path | None = None,
) -> Workload:
    """Load a model file and take its workload; a recipe gives both widths instead of the two numbers.

    Raises
    ------
    WorkloadError    a width outside 1..32, batch below one
    RefqError        a file or recipe that cannot be read
    """
    from refq.io.load import load

    if recipe is not None:
        from refq.quantizers import find_recipe

        chosen = find_recipe(recipe)
        weights, activations = chosen.weights.grid.bits, chosen.activations.grid.bits
    for name, bits in (("weights", weights), ("activations", activations)):
        if not 1 <= bits <= 32:
            raise WorkloadError(f"--{name} {bits} is outside 1..32 bits")
    return from_graph(load(path, input_shape=input_shape), batch, weights, activations)
