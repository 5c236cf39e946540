"""Graph -> Workload: loop nests with bit widths, the only place where hwsim meets refq.

macs = sum(nest.macs)    weight_bytes = sum over distinct weights of ceil(elements * bits / 8) + 4 bytes a bias

Weights that are codes into tables count the bits of their codes, and the bytes of the tables and scales beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import WorkloadError
from hwsim.lifetimes import Buffer, arena_bytes
from refq.graph import Graph, LoopNest, Node, QParams

__all__ = [
    "IntegerLayer",
    "Layer",
    "LoopNest",
    "Workload",
    "from_graph",
    "from_layers",
    "integer_layers",
    "load_quantized",
    "load_workload",
]

BIAS_BYTES = 4
TABLE_BITS = 8
"""Of an entry of the tables that codes of weights name"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the deployed graph: what it is, its loops, its bit widths.

    weight_key : name of the stored weights; layers with equal keys share one copy, "" = none
    channels : size of the last axis of the output, 0 if not known
    sources : indices of the layers whose outputs it reads, -1 for inputs of the model; empty: the layer before
    is_output : its output is one of the model's
    weight_entropy_bits : entropy of the codes of one weight, what an entropy coder approaches; None if not known
    input_zeros : share of zeros among the input with its padding, 0 to 1; None if not known
    copied : elements of a concatenation's inputs that stay where they are because something else reads them as well;
        the others are written into the result by the layers that make them
    """

    name: str
    op: str
    nest: LoopNest
    weight_bits: int = 8
    activation_bits: int = 8
    weight_key: str = ""
    weight_entropy_bits: float | None = None
    input_zeros: float | None = None
    copied: int = 0
    channels: int = 0
    sources: tuple[int, ...] = ()
    is_output: bool = False

    @property
    def stored_bits(self) -> float:
        """Bits of one weight in memory."""
        return self.weight_bits if self.nest.weight_bits is None else self.nest.weight_bits

    @property
    def weight_bytes(self) -> int:
        """Bytes of the stored parameters."""
        return (
            ceil(self.nest.weights * self.stored_bits / 8)
            + self.nest.weight_metadata_bytes
            + BIAS_BYTES * self.nest.biases
        )


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
    return _bytes(size, bits)


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


def _grid_bits(grid: Any, recipe: str | Path) -> int:
    bits = getattr(grid, "bits", None)
    if not isinstance(bits, int):
        raise WorkloadError(f"--recipe {recipe}: {type(grid).__name__} states no bit width; give --weights instead")
    return bits


def _held(recipe: Any, name: str | Path) -> Held:
    """How a recipe holds weights; a multiplier of integers reads the 8-bit entries of tables that codes name."""
    from refq.quantizers.weights import is_coded

    grid = recipe.weights.grid
    bits, multiplier = _grid_bits(grid, name), getattr(grid, "multiplier", "multiply")
    if not is_coded(recipe.weights):
        return Held(bits, None, multiplier)
    stored = bits * getattr(grid, "stages", 1) / getattr(grid, "width", 1)
    return Held(TABLE_BITS, stored, "group_rescale" if multiplier == "multiply" else multiplier)


def load_workload(
    path: str | Path,
    *,
    batch: int = 1,
    weights: int = 8,
    activations: int = 8,
    input_shape: Sequence[int] | None = None,
    recipe: str | Path | None = None,
    open_shape: Sequence[int] | None = None,
) -> Workload:
    """Load a model file and take its workload; a recipe gives both widths instead of the two numbers.

    Parameters
    ----------
    open_shape : sizes of the input without the batch, used where the file leaves them open

    Raises
    ------
    WorkloadError    a width outside 1..32, batch below one
    RefqError        a file or recipe that cannot be read
    """
    from refq.errors import LoadError
    from refq.io.load import load

    held = Held(weights)
    if recipe is not None:
        from refq.quantizers import find_recipe

        chosen = find_recipe(recipe)
        held, activations = _held(chosen, recipe), _grid_bits(chosen.activations.grid, recipe)
    for name, bits in (("weights", held.bits), ("activations", activations)):
        if not 1 <= bits <= 32:
            raise WorkloadError(f"--{name} {bits} is outside 1..32 bits")
    try:
        graph = load(path, input_shape=input_shape)
    except LoadError:
        if open_shape is None:
            raise
        graph = load(path, input_shape=open_shape)
    return from_graph(graph, batch, held, activations)


class Codes(NamedTuple):
    """The integers of one operand and what they mean: real = scale (code - zero)."""

    codes: NDArray[np.int64]
    zero: NDArray[np.int64]
    bits: int
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IntegerLayer:
    """One multiply-accumulate layer of an integer run: its operands, and the sums refq gives for them.

    x (N, H, W, C) or (N, C); w OHWI, or (1, FY, FX, O) of a depthwise layer, or (O, I); sums of the output's shape,
    with bias, before requantization. pads : ((top, bottom), (left, right)), filled with the zero point of x
    """

    name: str
    op: str
    nest: LoopNest
    x: Codes
    w: Codes
    bias: NDArray[np.int64] | None
    pads: tuple[tuple[int, int], tuple[int, int]]
    sums: NDArray[np.int64]


def load_quantized(
    path: str | Path, data: NDArray[Any] | None, recipe: str = "int8", input_shape: Sequence[int] | None = None
) -> tuple[Graph, NDArray[Any]]:
    """A quantized model and inputs for it: `data`, or one input of seeded Gaussian noise; they also calibrate it.

    Raises
    ------
    WorkloadError    several inputs, or open dimensions
    RefqError        a file that cannot be read, inputs of another shape
    """
    from refq.io.load import load
    from refq.quantization import quantize

    graph = load(path, input_shape=input_shape)
    if len(graph.inputs) != 1:
        raise WorkloadError(f"{graph.name!r} has {len(graph.inputs)} inputs; only models with one can be simulated")
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    if data is None:
        if any(not isinstance(size, int) or size < 1 for size in shape):
            raise WorkloadError(f"{graph.name!r} has the open input shape {shape}; give --input-shape")
        data = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
    if graph.is_quantized:
        return graph, data
    real = data if data.dtype.kind == "f" else data.astype(np.float32)
    return quantize(graph, real, recipe), real


def integer_layers(graph: Graph, x: Any) -> tuple[tuple[IntegerLayer, ...], tuple[str, ...]]:
    """(the convolutions and dense layers of an integer run, the names of the other layers that do work)."""
    from refq.execute import trace
    from refq.interpret import constant_value
    from refq.layers.registry import layer_for

    traced = trace(graph, x, path="integer")
    found: list[IntegerLayer] = []
    others: list[str] = []

    def operand(name: str) -> Codes:
        grid = graph.tensors[name].qparams
        codes = traced[name] if name in traced else constant_value(graph, name, "integer")
        assert isinstance(grid, QParams)
        return Codes(codes.astype(np.int64), np.asarray(grid.zero_point, np.int64), grid.bits, grid.signed)

    for node in graph.nodes:
        layer: Any = layer_for(node)
        values: list[Any] = [traced.get(name, graph.constants.get(name)) if name else None for name in node.inputs]
        nest: LoopNest = layer.nest(*(None if value is None else value.shape for value in values))
        names = [*node.inputs, "", "", ""][:3]
        uniform = all(isinstance(graph.tensors[name].qparams, QParams) for name in names if name)
        if node.op not in ("Conv2D", "DepthwiseConv2D", "Dense") or names[1] not in graph.constants or not uniform:
            others += [] if nest.kind == "none" else [node.name]
            continue
        left, right = operand(names[0]), operand(names[1])
        bias = operand(names[2]).codes if names[2] else None
        pads: Any = ((0, 0), (0, 0))
        if node.op != "Dense":
            pads = layer.window(left.codes.shape, right.codes.shape).pads
        sums = layer.accumulate(left.codes, right.codes, bias, left.zero, right.zero)
        found.append(
            IntegerLayer(name=node.name, op=node.op, nest=nest, x=left, w=right, bias=bias, pads=pads, sums=sums)
        )
    return tuple(found), tuple(others)
