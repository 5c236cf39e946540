"""Quantization-aware training: which tensor of a graph gets which rule."""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt
from typing import Any, Literal

import numpy as np

from refq.graph import Graph
from refq.layers import layer_class
from refq.layers.base import FixedGrid
from refq.quantization import quantize
from refq.quantizers.learning.binary import SignWeights
from refq.quantizers.learning.estimators import Estimator
from refq.quantizers.learning.protocol import Trainable
from refq.quantizers.learning.stochastic import StochasticSign
from refq.quantizers.learning.straight_through import Averaged, StraightThrough
from refq.quantizers.recipes import RECIPES
from refq.quantizers.uniform import Uniform
from refq.training.folding import foldings
from refq.training.network import Network, Values, channel_axis
from refq.transforms.sign_inputs import Form, binarize, source, weighted_layers

_WIDE_BITS = 16
"""Of what a normalization that is not folded reads: it stretches the steps of its input."""
_SCALED = ("BatchNormalization", "Multiply")
"""Readers of what is so wide where sums of signs are scaled before they are normalized."""


def quantized(
    graph: Graph,
    calibration: Any,
    *,
    weights: Trainable | None = None,
    activations: Trainable | None = None,
    sign: Estimator | StochasticSign | None = None,
    inputs: Form | None = None,
    whole: bool = False,
    fold: Literal["never", "once", "always"] = "never",
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
    sign : activations become -1 and +1, with this gradient, or drawn
    inputs : what these layers read in place of a ReLU's output, such as `scaled_signs`, `residual_signs(2)`,
        `shifted_signs(3)`, `without_relu` or `learned_intervals()`; `binarize` where `sign` is given. The constants it
        brings are trained
    whole : take in the first and the last layer
    fold : of batch normalization: "never" trains it and keeps it as a node, "once" folds it before training, "always"
        trains it and folds it anew at every step, so that weights are rounded as they will be deployed
    delay : part of the training before which 8-bit activations are not rounded
    frozen_statistics : part of the training after which normalization uses its running averages

    Notes
    -----
    fold="always": Jacob et al. 2018, section 3.2; Krishnamoorthi 2018, section 3.2 (the running averages take over
    towards the end). Keeping the first and last layer at 8 bits is the custom of DoReFa, PACT and LSQ. The trained
    graph runs on paths "fake" and "integer" as it is.
    """
    form = inputs or (binarize if sign is not None else None)
    prepared = graph if form is None else form(graph)
    is_folded = fold != "never"
    wide = dict.fromkeys(_SCALED if inputs is not None else () if is_folded else _SCALED[:1], _WIDE_BITS)
    base = quantize(prepared, calibration, replace(RECIPES["int8"], intermediate_bits=wide), fold=is_folded)
    macs = weighted_layers(base)
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
    trained = frozenset(prepared.constants) - frozenset(graph.constants)
    on_grids = {name for name in trained if base.tensors[name].qparams is not None}
    rules |= dict.fromkeys(on_grids, StraightThrough(per_channel=False))
    for node in chosen:
        if weights is not None:
            rules[node.inputs[1]] = weights
        found = source(base, node.inputs[0])
        if activations is None or found not in rules:
            continue
        if activations.takes_negative or _is_nonnegative(base, found):
            rules[found] = activations
    surrogates = {} if sign is None else {"Binarize": sign}
    return Network(
        graph=base,
        quantizers=rules,
        surrogates=surrogates,
        trained=trained,
        folded=foldings(prepared, base) if fold == "always" else {},
        frozen_statistics=frozen_statistics,
    )


def clip_latent(network: Network, limit: float = 1.0) -> Any:
    """A projection for `fit`: real weights behind rounded ones are held in [-limit, limit].

    Notes
    -----
    Courbariaux et al. 2015 (BinaryConnect), section 2.4.
    """
    names = [network.latent(name) for name in network.quantizers if name in network.graph.constants]

    def project(values: Values, progress: float) -> Values:
        return values | {name: np.clip(values[name], -limit, limit) for name in names}

    return project


def glorot_factors(network: Network, power: int = 1) -> dict[str, float]:
    """Factors of the steps of weights that live in [-1, 1], for `scaled`.

        factor = (1 / c)**power,   c = sqrt(1.5 / (inputs + outputs))

    `inputs` and `outputs` count the weights of an output and of an input of a layer: FY FX C and FY FX O.

    Parameters
    ----------
    network : names the weights with a `SignWeights` rule
    power : 1 for Adam, 2 for SGD

    Notes
    -----
    Courbariaux et al. 2015 (BinaryConnect), section 2.5: rates follow the coefficients c of Glorot & Bengio 2010 for
    the size of first weights, which is about 1 here.
    """
    found: dict[str, float] = {}
    for name, rule in network.quantizers.items():
        axis = channel_axis(network.graph, name) if isinstance(rule, SignWeights) else None
        if axis is not None:
            shape = network.graph.tensors[name].shape
            inputs = prod(shape) // shape[axis]
            places = prod(shape[1:-1])
            found[network.latent(name)] = sqrt((inputs + places * shape[axis]) / 1.5) ** power
    return found


def _has_own_grid(graph: Graph, name: str) -> bool:
    """Whether the grid follows from what the tensor holds, not from its input or the function's range."""
    node = graph.producer(name)
    if node is None:
        return True
    rule = layer_class(node.op).output_grid
    if isinstance(rule, FixedGrid):
        return False
    return rule != "same" or graph.tensors[node.inputs[0]].qparams is None


def _is_nonnegative(graph: Graph, name: str) -> bool:
    node = graph.producer(name)
    if node is None:
        return False
    plain = node.op == "Interval" or (node.op == "Relu" and not node.attrs.get("negative_slope", 0.0))
    return plain or (node.clamp is not None and node.clamp[0] >= 0)
