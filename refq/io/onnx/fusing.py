"""An activation after a layer becomes that layer's clamp, where the layer's own output has no grid."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from refq.graph import Graph, Node
from refq.layers import MacLayer, layer_class, layer_for

_ELEMENTWISE = ("Add", "Subtract", "Multiply")


def fuse(graph: Graph) -> Graph:
    """Fuse Relu, and Identity with a clamp (Clip), into what precedes it in an already quantized graph.

    QuantizeLinear stands after the activation, so the sum before it has no grid of its own: the two are one integer
    operation, y_q = clamp(requantize(acc)). In a real-valued graph nothing changes; quantization fuses there.
    """
    if not graph.is_quantized:
        return graph
    uses = graph.use_counts()
    nodes: dict[str, Node] = {}
    writer: dict[str, str] = {}
    for node in graph.nodes:
        source = nodes.get(writer.get(node.inputs[0], "")) if node.inputs else None
        limits = _limits(node)
        if (
            limits is not None
            and source is not None
            and len(source.outputs) == 1
            and source.clamp is None
            and (source.op in _ELEMENTWISE or issubclass(layer_class(source.op), MacLayer))
            and graph.tensors[source.outputs[0]].qparams is None
            and uses[node.inputs[0]] == 1
        ):
            node = replace(source, outputs=node.outputs, clamp=limits)
        nodes[node.name] = node
        writer.update(dict.fromkeys(node.outputs, node.name))
    return graph.with_nodes(nodes.values())


def _limits(node: Node) -> tuple[float, float] | None:
    if node.op == "Identity":
        return node.clamp
    if node.op != "Relu" or node.clamp is not None:
        return None
    relu = layer_for(node)
    if relu.negative_slope != 0 or relu.threshold != 0:
        return None
    return 0.0, inf if relu.max_value is None else float(relu.max_value)
