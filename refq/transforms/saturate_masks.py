"""Bring attention masks from "minus infinity" to the range of the scores they are added to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.graph import Graph, Node
from refq.layers import layer_for
from refq.quantizers.ranges import Limits

_MARGIN = 16.0
"""exp(-16) = 1.1e-7: what far below the largest score counts as nothing."""


def saturate_masks(graph: Graph, limits: dict[str, Limits]) -> tuple[Graph, dict[str, Limits]]:
    """Raise the entries of a constant that only hide scores from a softmax, so that the sum has a usable range.

        m' = max(m, max m - (high - low) - 16),  the maximum along the softmax's axis

    Parameters
    ----------
    graph : Graph
    limits : tensor name -> (low, high) observed

    Returns
    -------
    the graph with its masks saturated, and limits from low + max m - 16 up for the sums

    Notes
    -----
    A mask of -1e9 on a grid that also holds it would leave every score the same code. Scores within their limits give a
    hidden place at most exp(-16) of its row's largest weight, with m as with m'; on the grid it falls on the lowest
    code.
    """
    uses = graph.use_counts()
    reader = {name: node for node in graph.nodes for name in node.inputs}
    constants, limits = dict(graph.constants), dict(limits)
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(node)
        softmax = reader.get(node.outputs[0]) if node.op == "Add" else None
        masks = [name for name in node.inputs if name in constants and constants[name].dtype.kind == "f"]
        if softmax is None or softmax.op != "Softmax" or uses[node.output] != 1 or len(masks) != 1 or not masks[0]:
            continue
        scores = next(name for name in node.inputs if name != masks[0])
        if scores not in limits or node.output not in limits:
            continue
        low, high = limits[scores]
        mask = constants[masks[0]]
        rank = len(graph.tensors[node.output].shape)
        full = mask.reshape((1,) * (rank - mask.ndim) + mask.shape)
        top = full.max(axis=layer_for(softmax).axis, keepdims=True)
        raised = np.maximum(full, top - (high - low) - _MARGIN).reshape(mask.shape).astype(mask.dtype)
        if np.array_equal(raised, mask):
            continue
        name = masks[0] if uses[masks[0]] == 1 else f"{node.name}/mask"
        constants[name], tensors[name] = raised, replace(tensors[masks[0]], name=name)
        nodes[-1] = replace(node, inputs=tuple(name if i == masks[0] else i for i in node.inputs))
        lowest, highest = limits[node.output]
        limits[node.output] = (np.maximum(lowest, low + float(top.min()) - _MARGIN), highest)
    return graph.with_nodes(nodes, tensors=tensors, constants=constants), limits
