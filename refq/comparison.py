"""Comparing the paths of one graph, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError
from refq.execute import trace
from refq.graph import Graph
from refq.interpret import constant_value, node_function
from refq.layers import layer_class
from refq.numerics import Arithmetic, find_arithmetic
from refq.quantizers import dequantize_array, quantize_array


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeComparison:
    """One node's row.

    sqnr_db : signal to quantization noise of the integer path (the fake path where there is none) against float, in dB,
        errors of earlier nodes included; inf where equal
    max_step : largest |fake - integer| in output codes on equal inputs; None without an integer path
    differing : how many codes differ on equal inputs
    elements : how many were compared
    """

    node: str
    op: str
    tensor: str
    sqnr_db: float
    max_step: int | None
    differing: int
    elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table with one row a node; str() prints it."""

    rows: tuple[NodeComparison, ...]

    @property
    def first_difference(self) -> NodeComparison | None:
        """The first node whose fake and integer codes differ on equal inputs."""
        return next((row for row in self.rows if row.differing), None)

    def __str__(self) -> str:
        width = max([len(row.node) for row in self.rows] + [4])
        lines = [f"{'node':<{width}}  {'op':<18}  {'SQNR dB':>8}  {'max step':>8}  differing"]
        for row in self.rows:
            step = "-" if row.max_step is None else str(row.max_step)
            lines.append(
                f"{row.node:<{width}}  {row.op:<18}  {row.sqnr_db:>8.2f}  {step:>8}  {row.differing}/{row.elements}"
            )
        first = self.first_difference
        lines.append("fake and integer agree on every node" if first is None else f"first differing node: {first.node}")
        return "\n".join(lines)


def compare(
    graph: Graph, x: Any, *, reference: Graph | None = None, arithmetic: str | Arithmetic = "litert"
) -> Comparison:
    """Per node: SQNR against the float path, and the difference of fake and integer codes on equal inputs.

    Parameters
    ----------
    graph : quantized Graph
    x : input as for `run`, real
    reference : Graph whose float path is the signal; the graph itself if None. Tensors are matched by name
    arithmetic : profile of the integer path

    Returns
    -------
    Comparison

    Raises
    ------
    GraphError    the graph is not quantized
    """
    if not graph.is_quantized:
        raise GraphError(f"{graph.name!r} is not quantized, there are no paths to compare; call refq.quantize first")
    profile = find_arithmetic(arithmetic)
    has_integer = all(layer_class(node.op).has_integer for node in graph.nodes)
    real = trace(graph if reference is None else reference, x)
    used = trace(graph, x, "integer" if has_integer else "fake", profile)
    fake = node_function(graph, "fake", profile)
    rows: list[NodeComparison] = []
    for node in graph.nodes:
        name = node.outputs[0]
        grid = graph.tensors[name].qparams
        value = dequantize_array(used[name], grid) if has_integer and grid is not None else used[name]
        max_step, differing = None, 0
        if has_integer and grid is not None:
            # Steps of a grid beyond 16 bits come near the rounding errors of float32.
            dtype = np.float64 if grid.bits > 16 else np.float32
            inputs = [_on_grid(graph, used, tensor, dtype) if tensor else None for tensor in node.inputs]
            steps = quantize_array(fake(node, inputs)[0], grid).astype(np.int64) - used[name]
            max_step = int(np.abs(steps).max()) if steps.size else 0
            differing = int(np.count_nonzero(steps))
        rows.append(
            NodeComparison(
                node=node.name,
                op=node.op,
                tensor=name,
                sqnr_db=sqnr_db(real[name], value) if name in real else float("nan"),
                max_step=max_step,
                differing=differing,
                elements=used[name].size,
            )
        )
    return Comparison(rows=tuple(rows))


def sqnr_db(signal: NDArray[Any], approximation: NDArray[Any]) -> float:
    """10 log10(sum signal**2 / sum (signal - approximation)**2); inf where they are equal."""
    signal = signal.astype(np.float64)
    noise = float(np.square(signal - approximation).sum())
    power = float(np.square(signal).sum())
    return inf if noise == 0 else (-inf if power == 0 else 10 * log10(power / noise))


def _on_grid(graph: Graph, codes: dict[str, NDArray[Any]], name: str, dtype: Any) -> NDArray[Any]:
    if name in graph.constants:
        value = constant_value(graph, name, "fake")
        return value.astype(dtype) if value.dtype.kind == "f" else value
    grid = graph.tensors[name].qparams
    return codes[name] if grid is None else dequantize_array(codes[name], grid, dtype)
