"""Running a graph: one short interpreter, three paths.

A path differs in three things only: how a graph input enters, how a constant enters, how a node computes. On the
integer path a plan of kernels takes the interpreter's place where the machine has them; it gives the same codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from refq.errors import GraphError, RangeError, ShapeError, UnsupportedError, blame
from refq.graph import Graph
from refq.interpret import PATHS, Array, Constants, Path, node_function
from refq.layers import layer_class
from refq.numerics import Arithmetic, find_arithmetic
from refq.numerics.element_types import is_integer, is_real
from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array

_PLANS_KEPT = 4


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


def _evaluate(
    graph: Graph, x: Any, path: Path, arithmetic: str | Arithmetic, keep: frozenset[str] | None
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Outputs as the caller sees them, and the values kept (all of them if `keep` is None)."""
    profile = find_arithmetic(arithmetic)
    _check_runnable(graph, path)
    given = _inputs(graph, x)
    as_codes = path == "integer" and all(value.dtype.kind in "iub" for value in given.values())
    values = {name: _enter(graph, name, value, path, profile) for name, value in given.items()}
    is_empty = any(value.size == 0 for value in values.values())
    if path == "integer" and profile.events is None and not is_empty and not _is_dynamic(graph) and _has_kernels():
        plan = _plan(_Identity(graph), _Identity(profile))
        values = plan.trace(values) if keep is None else plan.run(values)
    else:
        values = _interpret(graph, values, path, profile, keep)
    outputs = tuple(values[name] if name in values else Constants(graph, path)[name] for name in graph.outputs)
    if path == "integer" and not as_codes:
        outputs = tuple(_leave(graph, name, y) for name, y in zip(graph.outputs, outputs, strict=True))
    return outputs, values


class _Identity:
    """A graph or a profile as a key: equal to itself only, since comparing weights would cost more than a run."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.value is self.value


@lru_cache(maxsize=_PLANS_KEPT)
def _plan(graph: _Identity, arithmetic: _Identity) -> Any:
    from refq.plan import Plan

    return Plan(graph.value, arithmetic.value)


def _has_kernels() -> bool:
    from refq.kernels.cpu import route

    return route() != "numpy"


def _interpret(
    graph: Graph, values: dict[str, Array], path: Path, profile: Arithmetic, keep: frozenset[str] | None
) -> dict[str, Array]:
    """Node by node; values that no node reads any more are dropped unless they are kept."""
    step = node_function(graph, path, profile)
    constants = Constants(graph, path)
    last_use = {name: position for position, node in enumerate(graph.nodes) for name in node.inputs}
    for position, node in enumerate(graph.nodes):
        with blame(node):
            inputs = [None if not name else values[name] if name in values else constants[name] for name in node.inputs]
            values.update(zip(node.outputs, step(node, inputs), strict=True))
        if keep is not None:
            for name in {*node.inputs, *node.outputs} & set(values):
                if last_use.get(name, -1) <= position and name not in keep:
                    del values[name]
    return values


def _check_runnable(graph: Graph, path: Path) -> None:
    if path not in PATHS:
        raise RangeError(f"path={path!r} is not one of {', '.join(PATHS)}")
    if graph.shape_only:
        some = ", ".join(sorted(graph.shape_only)[:3])
        raise GraphError(
            f"{graph.name!r} holds shapes only: {len(graph.shape_only)} weight tensors ({some} ...) were never "
            "written; running it needs a file with trained weights"
        )
    if path == "float" or _is_dynamic(graph):
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


def _is_dynamic(graph: Graph) -> bool:
    """Whether explicit nodes find every grid at run time: what is real between them is real on every path."""
    return not graph.is_quantized and any(node.op == "DynamicQuantizeLinear" for node in graph.nodes)


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
