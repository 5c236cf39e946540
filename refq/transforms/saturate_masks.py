"""Bring attention masks from "minus infinity" to the range of the scores they are added to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.graph import Graph, Node
from refq.layers import layer_for
from refq.quantizers.ranges import Limits

_MARGIN = 16.0
"""exp(-16) = 1.1e-7: what far below the largest score counts as nothing."""


def masked_sums(graph: Graph) -> list[str]:
    """Sums of scores and a constant that only a softmax reads: their observed range is the mask's, and is replaced."""
    return [node.output for node, _, _ in _masked(graph)]


def _masked(graph: Graph) -> list[tuple[Node, str, Node]]:
    """Every such Add, its mask, and the softmax behind it."""
    uses = graph.use_counts()
    reader = {name: node for node in graph.nodes for name in node.inputs}
    found: list[tuple[Node, str, Node]] = []
    for node in graph.nodes:
        softmax = reader.get(node.outputs[0]) if node.op == "Add" else None
        masks = [name for name in node.inputs if _is_real_constant(graph, name)]
        if softmax is not None and softmax.op == "Softmax" and uses[node.output] == 1 and len(masks) == 1:
            found.append((node, masks[0], softmax))
    return found


def _is_real_constant(graph: Graph, name: str) -> bool:
    return bool(name) and name in graph.constants and graph.constants[name].dtype.kind == "f"


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
    constants, limits = dict(graph.constants), dict(limits)
    tensors = dict(graph.tensors)
    masked = {node.output: (mask, softmax) for node, mask, softmax in _masked(graph)}
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(node)
        if node.outputs[0] not in masked:
            continue
        held, softmax = masked[node.output]
        scores = next(name for name in node.inputs if name != held)
        if scores not in limits or node.output not in limits:
            continue
        low, high = limits[scores]
        mask = constants[held]
        rank = len(graph.tensors[node.output].shape)
        full = mask.reshape((1,) * (rank - mask.ndim) + mask.shape)
        top = full.max(axis=layer_for(softmax).axis, keepdims=True)
        raised = np.maximum(full, top - (high - low) - _MARGIN).reshape(mask.shape).astype(mask.dtype)
        if np.array_equal(raised, mask):
            continue
        name = held if uses[held] == 1 else f"{node.name}/mask"
        constants[name], tensors[name] = raised, replace(tensors[held], name=name)
        nodes[-1] = replace(node, inputs=tuple(name if i == held else i for i in node.inputs))
        lowest, highest = limits[node.output]
        limits[node.output] = (np.maximum(lowest, low + float(top.min()) - _MARGIN), highest)
    return graph.with_nodes(nodes, tensors=tensors, constants=constants), limits
