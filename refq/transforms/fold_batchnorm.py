"""Fold batch normalization into the layer before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refq.errors import RangeError
from refq.graph import Graph, Node, TensorSpec
from refq.layers import MacLayer, layer_class, layer_for


def fold_batchnorm(graph: Graph) -> Graph:
    """Merge every BatchNormalization that follows a MAC layer into that layer's weight and bias.

        a = gamma / sqrt(variance + epsilon);   w' = w * a (per output channel);   b' = (b - mean) * a + beta

    Parameters
    ----------
    graph : Graph; weights may be shapes only, the result then is, too

    Returns
    -------
    Graph; the folded layer writes the normalization's output tensor, so names of what remains do not change

    Raises
    ------
    RangeError    variance + epsilon is not positive, or the folded weights overflow float32

    Notes
    -----
    Jacob et al. 2018, section 3.2, eq. (14). A normalization stays where its input has another reader, is a graph
    output or already clamped, or where it does not run along the output channels. The sums run in float64.
    """
    uses = graph.use_counts()
    tensors, constants = dict(graph.tensors), dict(graph.constants)
    shape_only = set(graph.shape_only)
    producer = {name: node for node in graph.nodes for name in node.outputs}
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}

    for norm in graph.nodes:
        if norm.op != "BatchNormalization":
            continue
        source = producer.get(norm.inputs[0])
        if source is None or not _can_fold(graph, source, norm, uses[source.outputs[0]]):
            continue
        source = nodes[source.name]
        weight, bias = (*source.inputs[1:], "", "")[:2]
        channels = tensors[norm.inputs[1]].shape
        placeholder = bool(shape_only & {weight, bias, *norm.inputs[1:]})
        new_weight = weight if uses[weight] == 1 else f"{source.name}/folded_weight"
        new_bias = bias if bias and uses[bias] == 1 else f"{source.name}/folded_bias"
        if placeholder:
            constants[new_weight] = np.broadcast_to(np.float32(0), tensors[weight].shape)
            constants[new_bias] = np.broadcast_to(np.float32(0), channels)
            shape_only |= {new_weight, new_bias}
        else:
            gamma, beta, mean, variance = (constants[name].astype(np.float64) for name in norm.inputs[1:])
            old_bias = constants[bias].astype(np.float64) if bias else 0.0
            along = [1] * constants[weight].ndim
            along[layer_for(source).weight_axis] = -1
            with np.errstate(all="ignore"):  # what it ignores is not finite, and found below
                factor = gamma / np.sqrt(variance + layer_for(norm).epsilon)
                constants[new_weight] = (constants[weight] * factor.reshape(along)).astype(np.float32)
                constants[new_bias] = ((old_bias - mean) * factor + beta).astype(np.float32)
            if not np.isfinite(constants[new_weight]).all() or not np.isfinite(constants[new_bias]).all():
                raise RangeError(
                    f"BatchNormalization {norm.name!r}: gamma / sqrt(variance + epsilon) times the weights of "
                    f"{source.name!r} is not finite; variance + epsilon={variance.min() + layer_for(norm).epsilon:.6g} "
                    "must be positive"
                )
        tensors[new_weight] = replace(tensors[weight], name=new_weight)
        tensors[new_bias] = TensorSpec(name=new_bias, shape=channels)
        folded = replace(
            source, inputs=(source.inputs[0], new_weight, new_bias), outputs=norm.outputs, clamp=norm.clamp
        )
        nodes[source.name] = folded
        del nodes[norm.name]
    return replace(graph, shape_only=frozenset(shape_only)).with_nodes(
        nodes.values(), tensors=tensors, constants=constants
    )


def _can_fold(graph: Graph, source: Node, norm: Node, uses: int) -> bool:
    cls = layer_class(source.op)
    if not (issubclass(cls, MacLayer) and "w" in cls.parameters and len(source.inputs) > 1):
        return False
    axis = layer_for(norm).axis
    rank = len(graph.tensors[norm.inputs[0]].shape)
    parameters = [name for name in (*source.inputs[1:], *norm.inputs[1:]) if name]
    return (
        uses == 1
        and source.clamp is None
        and axis % rank == rank - 1
        and all(name in graph.constants for name in parameters)
        and graph.tensors[source.output].qparams is None
    )
