"""The finishing of an already quantized graph: activations become clamps, and grids reach the sums they belong to.

QuantizeLinear stands after the activation, often after a change of shape too, so that the sum before it has no grid of
its own. All of it is one integer operation, y_q = clamp(requantize(acc)).
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from refq.graph import Graph, Node
from refq.layers import MacLayer, layer_class, layer_for

_ELEMENTWISE = ("Add", "Subtract", "Multiply")
_CARRIES = ("Reshape", "Transpose", "Identity", "Slice")
_ORDERED = ("MaxPool2D", "ReduceMax", "ReduceMin")


def fuse(graph: Graph) -> Graph:
    """Clamps instead of Relu and Clip, then grids backwards; a real-valued graph is returned as it is.

    In a real-valued graph quantization does both, see `refq.transforms`.
    """
    return _grids_backwards(_clamps(graph)) if graph.is_quantized else graph


def _clamps(graph: Graph) -> Graph:
    """Put limits on the layer before them, also across changes of shape.

    A layer read directly takes over the activation's output; one behind a change of shape keeps its own, and the
    activation stays as Identity.
    """
    uses = graph.use_counts()
    nodes: dict[str, Node] = {}
    writer: dict[str, str] = {}
    for node in graph.nodes:
        limits = _limits(node)
        place = node.inputs[0] if node.inputs else ""
        source = nodes.get(writer.get(place, ""))
        while limits and source is not None and _is_bare(graph, source, uses) and _carries(source):
            source = nodes.get(writer.get(source.inputs[0], ""))
        if limits and source is not None and _is_bare(graph, source, uses) and _can_clamp(source):
            if source.outputs[0] == place:
                node = replace(source, outputs=node.outputs, clamp=limits)
            else:
                nodes[source.name] = replace(source, clamp=limits)
                node = replace(node, op="Identity", attrs={}, clamp=None)
        nodes[node.name] = node
        writer.update(dict.fromkeys(node.outputs, node.name))
    return graph.with_nodes(nodes.values())


def _grids_backwards(graph: Graph) -> Graph:
    """Give a tensor without a grid that of the only node that reads it, where rounding before and after are one."""
    uses, tensors = graph.use_counts(), dict(graph.tensors)
    for node in reversed(graph.nodes):
        if not (_carries(node) or node.op in _ORDERED):
            continue
        name, grid = node.inputs[0], tensors[node.outputs[0]].qparams
        spec = tensors[name]
        is_computed = name not in graph.constants and name not in graph.inputs and spec.dtype.startswith("float")
        if is_computed and grid is not None and spec.qparams is None and uses[name] == 1:
            tensors[name] = replace(spec, qparams=grid)
    return replace(graph, tensors=tensors)


def _carries(node: Node) -> bool:
    return node.op in _CARRIES and node.clamp is None


def _is_bare(graph: Graph, node: Node, uses: dict[str, int]) -> bool:
    """Whether a node's only output has no grid and one reader."""
    name = node.outputs[0]
    return len(node.outputs) == 1 and graph.tensors[name].qparams is None and uses[name] == 1


def _can_clamp(node: Node) -> bool:
    return node.clamp is None and (node.op in _ELEMENTWISE or issubclass(layer_class(node.op), MacLayer))


def _limits(node: Node) -> tuple[float, float] | None:
    """What a Relu or Clip limits its input to; None for any other node."""
    if node.op == "Identity":
        return node.clamp
    if node.op != "Relu" or node.clamp is not None:
        return None
    relu = layer_for(node)
    if relu.negative_slope != 0 or relu.threshold != 0:
        return None
    return 0.0, inf if relu.max_value is None else float(relu.max_value)
