"""QIL's inputs: a learned interval in front of inner layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.errors import GraphError, RangeError
from refq.graph import Graph, Node, TensorSpec
from refq.transforms.sign_inputs import Form, is_behind_relu, weighted_layers


def learned_intervals(high: float = 3.0) -> Form:
    """An `Interval` between every inner layer and the ReLU in front of it.

        x -> min(max((x - c + d) / (2 d), 0), 1);   first c = d = high / 2, the interval [0, high]

    Parameters
    ----------
    high : float > 0

    Raises
    ------
    RangeError    high not positive
    GraphError    no ReLU in front of an inner layer

    Notes
    -----
    Jung et al. 2019, eq. (3), for activations (gamma = 1): what lies below c - d is pruned, what lies above c + d is
    clipped. `UnitActivations` behind it is eq. (4). The constants are called layer/centre and layer/distance.
    """
    if not high > 0:
        raise RangeError(f"high={high} must be positive")

    def insert(graph: Graph) -> Graph:
        wanted = {node.name for node in weighted_layers(graph)[1:-1] if is_behind_relu(graph, node)}
        if not wanted:
            raise GraphError(f"{graph.name!r} has no ReLU in front of an inner layer that could have an interval")
        nodes: list[Node] = []
        tensors, constants = dict(graph.tensors), dict(graph.constants)
        for node in graph.nodes:
            if node.name in wanted:
                x, y = node.inputs[0], f"{node.name}/interval"
                limits = f"{node.name}/centre", f"{node.name}/distance"
                nodes.append(Node(op="Interval", name=y, inputs=(x, *limits), outputs=(y,)))
                tensors[y] = TensorSpec(name=y, shape=tensors[x].shape)
                for name in limits:
                    constants[name] = np.array(high / 2, np.float32)
                    tensors[name] = TensorSpec(name=name, shape=())
                node = replace(node, inputs=(y, *node.inputs[1:]))
            nodes.append(node)
        return graph.with_nodes(nodes, tensors=tensors, constants=constants)

    return insert
