"""Fuse ReLU into the layer before it."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from refq.graph import Graph, Node
from refq.layers import MacLayer, layer_class, layer_for

_ELEMENTWISE = ("Add", "Subtract", "Multiply", "BatchNormalization")


def fuse_activation(graph: Graph) -> Graph:
    """Turn a ReLU or ReLU6 that follows a MAC or elementwise layer into that node's clamp.

        y = min(max(layer(x), 0), max_value)

    Returns
    -------
    Graph; the layer writes the activation's output tensor

    Notes
    -----
    On the integer path the clamp is two comparisons of codes after requantization, as accelerators and TFLite's fused
    activations do; the range below zero then costs no codes. Leaky and thresholded variants stay nodes of their own.
    """
    uses = graph.use_counts()
    nodes: dict[str, Node] = {}
    writer: dict[str, str] = {}
    for node in graph.nodes:
        source = nodes.get(writer.get(node.inputs[0], "")) if node.inputs else None
        high = _relu_limit(node)
        if high is not None and source is not None and _can_clamp(source) and uses[node.inputs[0]] == 1:
            node = replace(source, outputs=node.outputs, clamp=(0.0, high))
        nodes[node.name] = node
        writer.update(dict.fromkeys(node.outputs, node.name))
    return graph.with_nodes(nodes.values())


def _relu_limit(node: Node) -> float | None:
    """Upper limit of a plain ReLU, None for any other node."""
    if node.op != "Relu" or node.clamp is not None:
        return None
    relu = layer_for(node)
    if relu.negative_slope != 0 or relu.threshold != 0:
        return None
    limit = relu.max_value
    return inf if limit is None else float(limit)


def _can_clamp(node: Node) -> bool:
    return node.clamp is None and (node.op in _ELEMENTWISE or issubclass(layer_class(node.op), MacLayer))
