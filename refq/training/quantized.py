"""Quantization-aware training: which tensor of a graph gets which rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refq.errors import GraphError
from refq.graph import Graph, Node
from refq.layers import MacLayer, layer_class
from refq.layers.base import FixedGrid
from refq.quantization import quantize
from refq.quantizers.learning.estimators import Estimator
from refq.quantizers.learning.protocol import Trainable
from refq.quantizers.learning.stochastic import StochasticSign
from refq.quantizers.learning.straight_through import Averaged, StraightThrough
from refq.quantizers.recipes import RECIPES
from refq.quantizers.uniform import Uniform
from refq.training.network import Network, Values

_WIDE_BITS = 16
"""Of what a normalization that is not folded reads: it stretches the steps of its input."""


def quantized(
    graph: Graph,
    calibration: Any,
    *,
    weights: Trainable | None = None,
    activations: Trainable | None = None,
    sign: Estimator | StochasticSign | None = None,
    whole: bool = False,
    fold: bool = False,
    delay: float = 0.0,
    frozen_statistics: float = 0.9,
) -> Network:
    """A network that trains on the grids it will run on.

    Every tensor gets the grid that `refq.quantize` with recipe "int8" gives it, as a rule that follows weights and
    observed activations; `weights` and `activations` take the place of these rules in the layers between the first and
    the last multiply-accumulate layer, `activations` behind a ReLU, or behind anything where they take negative values.

    Parameters
    ----------
    graph : float Graph
    calibration : a batch of inputs
    weights, activations : rules; None: 8 bits, ranges of weights and moving averages of activations
    sign : activations become -1 and +1 (`Binarize` in place of ReLU), with this gradient, or drawn; see `binarize`
    whole : take in the first and the last layer
    fold : batch normalization is folded before training, else trained and kept as a node
    delay : part of the training before which 8-bit activations are not rounded
    frozen_statistics : part of the training after which normalization uses its running averages

    Notes
    -----
    Keeping the first and last layer at 8 bits is the custom of DoReFa, PACT and LSQ. The trained graph runs on paths
    "fake" and "integer" as it is.
    """
    prepared = graph if sign is None else binarize(graph)
    recipe = replace(RECIPES["int8"], intermediate_bits={} if fold else {"BatchNormalization": _WIDE_BITS})
    base = quantize(prepared, calibration, recipe, fold=fold)
    macs = [node for node in base.nodes if _is_mac(node) and node.inputs[1] in base.constants]
    chosen = macs if whole else macs[1:-1]
    rules: dict[str, Trainable] = {}
    for name in (*base.inputs, *(name for node in base.nodes for name in node.outputs)):
        grid = base.tensors[name].qparams
        if grid is not None and _has_own_grid(base, name):
            is_wide = grid.bits > 8
            uniform = Uniform(bits=grid.bits, symmetric=is_wide)
            rules[name] = Averaged(grid=uniform, delay=delay, passing="identity" if is_wide else "clipped")
    for node in macs:
        rules[node.inputs[1]] = StraightThrough()
    for node in chosen:
        if weights is not None:
            rules[node.inputs[1]] = weights
        source = _source(base, node.inputs[0])
        if activations is None or source not in rules:
            continue
        if activations.takes_negative or _is_nonnegative(base, source):
            rules[source] = activations
    surrogates = {} if sign is None else {"Binarize": sign}
    return Network(graph=base, quantizers=rules, surrogates=surrogates, frozen_statistics=frozen_statistics)


def binarize(graph: Graph) -> Graph:
    """`Binarize` in place of the ReLU before every multiply-accumulate layer but the first and the last.

    Raises
    ------
    GraphError    there is none
    """
    macs = [node for node in graph.nodes if _is_mac(node)]
    wanted = {_source(graph, node.inputs[0]) for node in macs[1:-1]}
    found = [node for node in graph.nodes if node.op == "Relu" and node.output in wanted]
    if not found:
        raise GraphError(f"{graph.name!r} has no ReLU in front of an inner layer that could become a sign")
    names = {node.name for node in found}
    nodes = [
        Node(op="Binarize", name=node.name, inputs=node.inputs, outputs=node.outputs) if node.name in names else node
        for node in graph.nodes
    ]
    return graph.with_nodes(nodes)


def clip_latent(network: Network, limit: float = 1.0) -> Any:
    """A projection for `fit`: real weights behind rounded ones are held in [-limit, limit].

    Notes
    -----
    Courbariaux et al. 2015 (BinaryConnect), section 2.4.
    """
    names = [name for name in network.quantizers if name in network.graph.constants]

    def project(values: Values, progress: float) -> Values:
        return values | {name: np.clip(values[name], -limit, limit) for name in names}

    return project


def _is_mac(node: Node) -> bool:
    cls = layer_class(node.op)
    return issubclass(cls, MacLayer) and "w" in cls.parameters


def _has_own_grid(graph: Graph, name: str) -> bool:
    """Whether the grid follows from what the tensor holds, not from its input or the function's range."""
    node = graph.producer(name)
    if node is None:
        return True
    rule = layer_class(node.op).output_grid
    if isinstance(rule, FixedGrid):
        return False
    return rule != "same" or graph.tensors[node.inputs[0]].qparams is None


def _source(graph: Graph, name: str) -> str:
    """Where the elements of a tensor were computed, before they were only moved or pooled."""
    node = graph.producer(name)
    while node is not None and layer_class(node.op).output_grid == "same" and node.clamp is None:
        name = node.inputs[0]
        node = graph.producer(name)
    return name


def _is_nonnegative(graph: Graph, name: str) -> bool:
    node = graph.producer(name)
    if node is None:
        return False
    plain = node.op == "Relu" and not node.attrs.get("negative_slope", 0.0)
    return plain or (node.clamp is not None and node.clamp[0] >= 0)
