"""Computing one node on a path; what running a graph, comparing paths and preparing plans have in common.

float    y = clamp(forward(x))
fake     y = fake_quantize(clamp(forward(fake_quantize(x))))          derived, written once, here
integer  y_q = clamp_codes(layer.integer(x_q)).astype(codes)          integers only
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, blame
from refq.graph import Graph, Node, QParams
from refq.layers import MacLayer, layer_for
from refq.numerics import Arithmetic, round_real
from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array

Path = Literal["float", "fake", "integer"]
PATHS: tuple[Path, ...] = ("float", "fake", "integer")
Array = NDArray[Any]
Step = Callable[[Node, list[Any]], tuple[Array, ...]]


def infer_shapes(
    graph: Graph, batch: int = 1, inputs: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor, node by node, from a batch size or from the shapes of the graph inputs.

    Parameters
    ----------
    batch : leading axis of every graph input
    inputs : input name -> shape, for inputs that do not share a batch
    """
    if batch < 1:
        raise RangeError(f"batch={batch} must be at least 1")
    shapes: dict[str, Any] = {"": None}
    for name, spec in graph.tensors.items():
        if name in graph.constants:
            shapes[name] = spec.shape
        elif name in graph.inputs:
            shapes[name] = (batch, *spec.shape[1:]) if inputs is None else inputs[name]
    for node in graph.nodes:
        with blame(node):
            found: Any = layer_for(node).infer_shape(*(shapes[name] for name in node.inputs))
        many = found if found and isinstance(found[0], tuple) else (found,)
        shapes.update(zip(node.outputs, many, strict=True))
    del shapes[""]
    return shapes


def node_function(graph: Graph, path: Path, arithmetic: Arithmetic) -> Step:
    """The function that computes one node from its inputs on a path; what the interpreter calls for every node."""
    grid = {name: spec.qparams for name, spec in graph.tensors.items()}

    def clamped(node: Node, y: Any) -> tuple[Array, ...]:
        outputs = y if isinstance(y, tuple) else (y,)
        return outputs if node.clamp is None else tuple(np.clip(y, *node.clamp) for y in outputs)

    def real(node: Node, inputs: list[Any]) -> tuple[Array, ...]:
        return clamped(node, layer_for(node).forward(*inputs))

    def fake(node: Node, inputs: list[Any]) -> tuple[Array, ...]:
        outs = tuple(grid[name] for name in node.outputs)
        grids = [grid[name] if name else None for name in node.inputs]
        outputs = clamped(node, layer_for(node).fake(inputs, grids, outs[0] if len(outs) == 1 else outs))
        return tuple(
            y if (g := grid[name]) is None else fake_quantize(y, g)
            for name, y in zip(node.outputs, outputs, strict=True)
        )

    def integer(node: Node, inputs: list[Any]) -> tuple[Array, ...]:
        outs = tuple(grid[name] for name in node.outputs)
        grids = [grid[name] if name else None for name in node.inputs]
        if all(g is None for g in (*outs, *grids)):
            return real(node, inputs)  # plain integers (indices, shapes) are the same on every path
        bits = next((g.bits for g in grids if g is not None), 8)
        layer = layer_for(node)
        if isinstance(layer, MacLayer):
            layer = layer.holding(graph.tensors[node.inputs[1]].codebook)
        compute: Any = arithmetic.rule(node.op, bits) or type(layer).integer
        y = compute(layer, inputs, grids, outs[0] if len(outs) == 1 else outs, arithmetic.at(node.name))
        return tuple(
            y if out is None else settle(node, y, out)
            for y, out in zip(y if isinstance(y, tuple) else (y,), outs, strict=True)
        )

    def settle(node: Node, y: Array, out: QParams) -> Array:
        low, high = code_limits(node, out)
        if arithmetic.events is not None:
            arithmetic.events.add_clamped(node.name, y, low, high)
        return np.clip(y, low, high).astype(out.dtype)

    return {"float": real, "fake": fake, "integer": integer}[path]


def code_limits(node: Node, out: QParams) -> tuple[int, int]:
    """Lowest and highest code a node may write: the ends of its grid, narrowed by a fused activation.

    Notes
    -----
    TFLite `CalculateActivationRangeQuantized`: zero_point + round_half_away(limit / scale) in float32.
    """
    low, high = out.qmin, out.qmax
    if node.clamp is not None:
        with np.errstate(over="ignore"):
            steps = round_real(np.asarray(node.clamp, np.float32) / out.scale, "half_away") + out.zero_point
        low, high = int(max(low, min(steps[0], high))), int(min(high, max(steps[1], low)))
    return low, high


class Constants(Mapping[str, Array]):
    """Constants as a path reads them: reals, reals on the grid, or codes; each made once."""

    def __init__(self, graph: Graph, path: Path) -> None:
        self._graph = graph
        self._path: Path = path
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            self._made[name] = constant_value(self._graph, name, self._path)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._graph.constants)

    def __len__(self) -> int:
        return len(self._graph.constants)


def constant_value(graph: Graph, name: str, path: Path) -> Array:
    """A constant as one path reads it: reals (float), reals on the grid (fake) or codes (integer)."""
    array, grid = graph.constants[name], graph.tensors[name].qparams
    if grid is None:
        return array
    holds_codes = array.dtype.kind in "iu"
    if path == "integer":
        return array if holds_codes else quantize_array(array, grid)
    if holds_codes:
        return dequantize_array(array, grid)
    return array if path == "float" else fake_quantize(array, grid)
