"""Accumulator widths of a whole graph: which are provably safe, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from refq.errors import GraphError
from refq.graph import Graph
from refq.interpret import constant_value
from refq.layers import MacLayer, layer_for
from refq.numerics.bounds import accumulator_range, signed_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeAccumulator:
    """One node's row.

    bits : narrowest signed accumulator that no input can overflow, in any order of summation
    channel_bits : the same for each output channel
    low, high : the lowest and highest partial sum of any channel
    """

    node: str
    op: str
    bits: int
    channel_bits: tuple[int, ...]
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeAccumulators:
    """A table with one row a node that sums products; str() prints it."""

    rows: tuple[SafeAccumulator, ...]

    @property
    def bits(self) -> int:
        """The width that serves the whole graph; 0 if nothing is summed."""
        return max((row.bits for row in self.rows), default=0)

    def __getitem__(self, node: str) -> SafeAccumulator:
        """The row of a node; KeyError if it has none."""
        for row in self.rows:
            if row.node == node:
                return row
        raise KeyError(f"node {node!r} sums no products; rows are {', '.join(row.node for row in self.rows)}")

    def __str__(self) -> str:
        width = max([len(row.node) for row in self.rows] + [4])
        lines = [f"{'node':<{width}}  {'op':<18}  {'bits':>4}  {'channels':>8}  {'low':>14}  {'high':>14}"]
        for row in self.rows:
            channels = f"{min(row.channel_bits)}..{max(row.channel_bits)}"
            lines.append(
                f"{row.node:<{width}}  {row.op:<18}  {row.bits:>4}  {channels:>8}  {row.low:>14}  {row.high:>14}"
            )
        lines.append(f"the whole graph needs {self.bits} bits")
        return "\n".join(lines)


def safe_accumulators(graph: Graph) -> SafeAccumulators:
    """Bounds of the accumulators of every convolution and dense layer with constant weights.

    Parameters
    ----------
    graph : quantized Graph

    Returns
    -------
    SafeAccumulators    products of two activations have no row, since they have no constant weights

    Raises
    ------
    GraphError    the graph is not quantized

    Notes
    -----
    The bound of `refq.numerics.bounds`: it uses the codes of the weights and the whole grid of the input. Dense and
    convolutions reach it; a transposed convolution with strides adds only some of its taps to one output, so that its
    bound is safe and not tight.
    """
    if not graph.is_quantized:
        raise GraphError(f"{graph.name!r} is not quantized, its sums have no codes; call refq.quantize first")
    rows: list[SafeAccumulator] = []
    for node in graph.nodes:
        layer = layer_for(node)
        if not isinstance(layer, MacLayer) or len(node.inputs) < 2 or node.inputs[1] not in graph.constants:
            continue
        x_grid, w_grid = graph.tensors[node.inputs[0]].qparams, graph.tensors[node.inputs[1]].qparams
        if x_grid is None or w_grid is None:
            continue
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        low, high = accumulator_range(
            constant_value(graph, node.inputs[1], "integer"),
            x_grid,
            constant_value(graph, bias, "integer") if bias else None,
            w_grid.zero_point,
            layer.weight_axis,
        )
        bits = signed_bits(low, high)
        rows.append(
            SafeAccumulator(
                node=node.name,
                op=node.op,
                bits=int(bits.max(initial=0)),
                channel_bits=tuple(bits.tolist()),
                low=int(low.min(initial=0)),
                high=int(high.max(initial=0)),
            )
        )
    return SafeAccumulators(rows=tuple(rows))
