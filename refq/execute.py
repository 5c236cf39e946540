"""Running a graph: one short interpreter, three paths.

    float    y = clamp(forward(x))
    fake     y = fake_quantize(clamp(forward(fake_quantize(x))))          derived, written once, here
    integer  y_q = clamp_codes(layer.integer(x_q)).astype(codes)          integers only

A path differs in three things only: how a graph input enters, how a constant enters, how a node computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, RangeError, ShapeError, UnsupportedError, blame
from refq.graph import Graph, Node, QParams
from refq.layers import layer_class, layer_for
from refq.numerics import Arithmetic, find_arithmetic, round_real
from refq.numerics.element_types import is_integer, is_real
from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array

Path = Literal["float", "fake", "integer"]
PATHS: tuple[Path, ...] = ("float", "fake", "integer")
Array = NDArray[Any]
Step = Callable[[Node, list[Any]], tuple[Array, ...]]


def run(graph: Graph, x: Any, path: Path = "float", arithmetic: str | Arithmetic = "litert") -> Any:
    """Compute the outputs of a graph.

    Parameters
    ----------
    graph : Graph
    x : array, or a tuple/list/dict (name -> array) for a graph with several inputs; the leading axis is the batch.
        On path "integer", integer arrays are codes and give codes; real arrays are quantized on entry and the
        outputs dequantized
    path : "float", "fake" or "integer"
    arithmetic : name of a profile, or an Arithmetic; used on path "integer"

    Returns
    -------
    one array, or a tuple if the graph has several outputs

    Raises
    ------
    ShapeError          input of the wrong shape
    GraphError          weights were never written, or the graph is not quantized and path is not "float"
    UnsupportedError    layers without an integer path, all named

    Examples
    --------
    >>> run(graph, images, path="integer")                                                    # doctest: +SKIP
    """
    outputs, _ = _evaluate(graph, x, path, arithmetic, keep=frozenset(graph.outputs))
    return outputs[0] if len(outputs) == 1 else outputs


def trace(graph: Graph, x: Any, path: Path = "float", arithmetic: str | Arithmetic = "litert") -> dict[str, Array]:
    """Every activation of a run: tensor name -> array, graph inputs first, then in execution order.

    On path "integer" the arrays are codes. Parameters and errors as in `run`.
    """
    _, values = _evaluate(graph, x, path, arithmetic, keep=None)
    return {spec.name: values[spec.name] for spec in graph.activations()}


def infer_shapes(graph: Graph, batch: int = 1) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor for a batch size: the inputs' leading axis is `batch`, the rest follows node by node."""
    if batch < 1:
        raise RangeError(f"batch={batch} must be at least 1")
    shapes: dict[str, Any] = {"": None}
    for name, spec in graph.tensors.items():
        if name in graph.constants:
            shapes[name] = spec.shape
        elif name in graph.inputs:
            shapes[name] = (batch, *spec.shape[1:])
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
        compute = arithmetic.rule(node.op, bits) or type(layer).integer
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


def _evaluate(
    graph: Graph, x: Any, path: Path, arithmetic: str | Arithmetic, keep: frozenset[str] | None
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Outputs as the caller sees them, and the values kept (all of them if `keep` is None)."""
    profile = find_arithmetic(arithmetic)
    _check_runnable(graph, path)
    given = _inputs(graph, x)
    as_codes = path == "integer" and all(value.dtype.kind in "iub" for value in given.values())
    values = {name: _enter(graph, name, value, path, profile) for name, value in given.items()}
    step = node_function(graph, path, profile)
    constants = _Constants(graph, path)
    last_use = {name: position for position, node in enumerate(graph.nodes) for name in node.inputs}
    for position, node in enumerate(graph.nodes):
        with blame(node):
            inputs = [None if not name else values[name] if name in values else constants[name] for name in node.inputs]
            values.update(zip(node.outputs, step(node, inputs), strict=True))
        if keep is not None:
            for name in {*node.inputs, *node.outputs} & set(values):
                if last_use.get(name, -1) <= position and name not in keep:
                    del values[name]
    outputs = tuple(values[name] if name in values else constants[name] for name in graph.outputs)
    if path == "integer" and not as_codes:
        outputs = tuple(_leave(graph, name, y) for name, y in zip(graph.outputs, outputs, strict=True))
    return outputs, values


def _check_runnable(graph: Graph, path: Path) -> None:
    if path not in PATHS:
        raise RangeError(f"path={path!r} is not one of {', '.join(PATHS)}")
    if graph.shape_only:
        some = ", ".join(sorted(graph.shape_only)[:3])
        raise GraphError(
            f"{graph.name!r} holds shapes only: {len(graph.shape_only)} weight tensors ({some} ...) were never "
            "written; running it needs a file with trained weights"
        )
    if path == "float":
        return
    if not graph.is_quantized and any("float" in spec.dtype for spec in graph.activations()):
        raise GraphError(f"{graph.name!r} is not quantized and path {path!r} needs grids; call refq.quantize first")
    if path == "integer":
        missing = [f"{node.op} {node.name!r}" for node in graph.nodes if not layer_class(node.op).has_integer]
        if missing:
            raise UnsupportedError(f"no integer path for {', '.join(missing)}; use path 'fake' or 'float'")
        plain = {name for node in graph.nodes if layer_class(node.op).output_grid == "none" for name in node.outputs}
        real = [spec for spec in graph.activations() if "float" in spec.dtype and spec.name not in plain]
        bare = [spec.name for spec in real if spec.qparams is None]
        if bare:
            raise GraphError(f"path 'integer' needs a grid on every real activation; {', '.join(bare)} have none")


def _inputs(graph: Graph, x: Any) -> dict[str, Array]:
    """The caller's input as name -> checked array."""
    if isinstance(x, Mapping):
        missing = [name for name in graph.inputs if name not in x]
        extra = [str(name) for name in x if name not in graph.inputs]
        if missing or extra:
            raise ShapeError(f"{graph.name!r} takes inputs {list(graph.inputs)}; missing {missing}, unknown {extra}")
        arrays = [x[name] for name in graph.inputs]
    elif isinstance(x, tuple | list) and len(graph.inputs) > 1:
        arrays = list(x)
    else:
        arrays = [x]
    if len(arrays) != len(graph.inputs):
        raise ShapeError(f"{graph.name!r} takes {len(graph.inputs)} inputs {list(graph.inputs)}, got {len(arrays)}")
    found: dict[str, Array] = {}
    for name, value in zip(graph.inputs, arrays, strict=True):
        array, want = np.asarray(value), graph.tensors[name].shape
        if not (is_real(array.dtype) or is_integer(array.dtype) or array.dtype.kind == "b"):
            raise ShapeError(f"input {name!r} of {graph.name!r} is {array.dtype}, numbers were expected")
        if array.ndim != len(want) or array.shape[1:] != want[1:]:
            raise ShapeError(
                f"input {name!r} of {graph.name!r} has shape {array.shape}, expected (batch, {str(want[1:])[1:-1]})"
            )
        found[name] = array
    # Inputs that share a leading size in the file share the batch; a file may feed others (a bias vector, a table).
    leading = {(graph.tensors[name].shape[0], len(array)) for name, array in found.items() if array.ndim}
    if len(leading) > len({size for size, _ in leading}):
        raise ShapeError(f"inputs of {graph.name!r} have different batch sizes: {[a.shape for a in found.values()]}")
    return found


def _enter(graph: Graph, name: str, value: Array, path: Path, arithmetic: Arithmetic) -> Array:
    spec = graph.tensors[name]
    grid = spec.qparams
    if path != "integer" or grid is None:
        if grid is None and spec.dtype != "float32":
            return value  # plain integers, and the element types that explicit layers compute with
        real = _as_real(value)
        return real if path == "float" or grid is None else fake_quantize(real, grid)
    if value.dtype.kind == "f":
        return quantize_array(value, grid, arithmetic.input_rounding)
    if value.size and (value.min() < grid.qmin or value.max() > grid.qmax):
        raise RangeError(
            f"input {name!r}: integer input is taken as codes, and [{value.min()}, {value.max()}] leaves "
            f"[{grid.qmin}, {grid.qmax}]; pass real values as floating point"
        )
    return value.astype(grid.dtype)


def _as_real(value: Array) -> Array:
    return value if value.dtype == np.float64 else value.astype(np.float32)


def _leave(graph: Graph, name: str, codes: Array) -> Array:
    grid = graph.tensors[name].qparams
    return codes if grid is None else dequantize_array(codes, grid)


class _Constants(Mapping[str, Array]):
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
