"""Difference target propagation: layers of signs that learn targets, which learned inverses bring down to them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, RangeError
from refq.graph import Graph
from refq.training.batches import batches
from refq.training.checkpoint import State
from refq.training.fit import Trained
from refq.training.losses import Loss, softmax_cross_entropy
from refq.training.network import Network, Values
from refq.training.optimizers import Optimizer, adam
from refq.training.schedules import Schedule, cosine

Array = NDArray[Any]


class SignLayer(NamedTuple):
    """A dense layer whose outputs are signs, by the names of its weight (O, I) and bias, and those of its inverse."""

    weight: str
    bias: str

    @property
    def inverse(self) -> tuple[str, str]:
        """Names of the inverse's weight (I, O) and bias."""
        return f"{self.weight}//inverse", f"{self.weight}//inverse bias"


def fit_difference_targets(
    graph: Graph,
    data: tuple[Any, Any],
    *,
    epochs: int,
    batch_size: int = 64,
    loss: Loss = softmax_cross_entropy,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    step: float = 3.0,
    noise: float = 0.3,
    seed: int = 0,
) -> Trained:
    """Train a chain of dense layers with signs between them without any derivative of a sign.

        h_i = tanh(W_i s_i-1 + b_i),  s_i = sign(h_i),  s_0 = x;   y = W s_M + b
        g_i(v) = tanh(V_i sign(v) + c_i),  trained on |g_i(f_i(u)) - u|**2,  u = h_i-1 + e,  e normal with sigma `noise`
        t_M = h_M - step * dL/ds_M;   t_i-1 = h_i-1 + g_i(t_i) - g_i(h_i);   W_i, b_i are trained on |h_i - t_i|**2

    Parameters
    ----------
    graph : float Graph: what moves codes only, then Dense and Binarize in turn, with biases, Dense last (and Softmax)
    data : (x, y)
    optimizer, schedule : default Adam, cosine from 1e-3
    step : of the target of the last layer of signs, against the gradient of a sample's loss
    noise : of the inverses' training

    Raises
    ------
    GraphError    another kind of graph
    RangeError    settings out of range

    Notes
    -----
    Lee et al. 2015, section 2.3 (difference target propagation, algorithm 1) and 3.2 (units that transmit signs);
    dL/ds_M is that of a sample's own loss, not divided by the batch. The inverses have no place in the graph and are
    left in the state. Weights are real: `refq.quantize` gives them grids.
    """
    if epochs < 1 or batch_size < 1 or not step > 0 or noise < 0:
        raise RangeError(
            f"epochs={epochs} and batch_size={batch_size} must be at least 1, step={step} positive, noise={noise} not "
            "negative"
        )
    hidden, last = sign_layers(graph)
    rng = np.random.default_rng(seed)
    network = Network(graph=graph)
    values, _ = network.start()
    for layer in hidden[1:]:
        outputs, inputs = values[layer.weight].shape
        bound = np.sqrt(6 / (inputs + outputs))
        values[layer.inverse[0]] = rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        values[layer.inverse[1]] = np.zeros(inputs, np.float32)
    optimizer, schedule = optimizer or adam(), schedule or cosine(1e-3)
    state = State(values=values, statistics={}, optimizer=optimizer.init(values))
    x, y = data
    total = epochs * -(-len(x) // batch_size)
    for _ in range(epochs):
        losses: list[float] = []
        for part, targets in batches(x, y, batch_size, rng):
            rows = part.reshape(len(part), -1).astype(np.float32)
            value, slopes = target_gradients(state.values, hidden, last, rows, targets, loss, step)
            slopes |= inverse_gradients(state.values, hidden, rows, noise, rng)
            rate = schedule(state.step, total)
            state.values, state.optimizer = optimizer.update(slopes, state.optimizer, state.values, rate)
            state.step += 1
            losses.append(value)
        state.epoch += 1
        state.history.append({"loss": float(np.mean(losses))})
    return Trained(graph=network.settled(state.values, {}, {}), history=tuple(state.history), state=state)


def sign_layers(graph: Graph) -> tuple[list[SignLayer], SignLayer]:
    """The layers in front of signs, and the last one.

    Raises
    ------
    GraphError    the graph is no such chain
    """
    nodes = list(graph.nodes)
    while nodes and nodes[0].op in ("Reshape", "Identity"):
        nodes = nodes[1:]
    if nodes and nodes[-1].op == "Softmax":
        nodes = nodes[:-1]
    is_chain = all(node.inputs[0] == before.output for before, node in pairwise(nodes))
    ops = [node.op for node in nodes]
    if not is_chain or len(nodes) < 3 or ops != ["Dense", "Binarize"] * (len(nodes) // 2) + ["Dense"]:
        raise GraphError(f"{graph.name!r} is no chain of Dense and Binarize in turn that ends in Dense: {ops}")
    for node in nodes[::2]:
        if len(node.inputs) < 3 or node.clamp is not None:
            raise GraphError(f"Dense {node.name!r} needs a bias, and no activation but the sign behind it")
    layers = [SignLayer(node.inputs[1], node.inputs[2]) for node in nodes[::2]]
    return layers[:-1], layers[-1]


def signs(x: Array) -> Array:
    """+1 where x >= 0, else -1."""
    return np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1))


def forward_layer(values: Values, layer: SignLayer, seen: Array) -> Array:
    """tanh(W s + b)."""
    return np.tanh(seen @ values[layer.weight].T + values[layer.bias])


def back_layer(values: Values, layer: SignLayer, outputs: Array) -> Array:
    """g(v) = tanh(V sign(v) + c)."""
    weight, bias = (values[name] for name in layer.inverse)
    return np.tanh(signs(outputs) @ weight.T + bias)


def target_gradients(
    values: Values, hidden: list[SignLayer], last: SignLayer, x: Array, labels: Any, loss: Loss, step: float
) -> tuple[float, Values]:
    """The loss, and gradients of every layer's distance from its targets (of the loss, for the last layer)."""
    count = x.dtype.type(len(x))
    seen, units = [x], []
    for layer in hidden:
        units.append(forward_layer(values, layer, seen[-1]))
        seen.append(signs(units[-1]))
    value, dy = loss(seen[-1] @ values[last.weight].T + values[last.bias], labels)
    slopes = {last.weight: dy.T @ seen[-1], last.bias: dy.sum(axis=0)}
    target = units[-1] - x.dtype.type(step) * count * (dy @ values[last.weight])
    for i in reversed(range(len(hidden))):
        layer, h = hidden[i], units[i]
        dz = 2 * (h - target) * (1 - h**2) / count
        slopes |= {layer.weight: dz.T @ seen[i], layer.bias: dz.sum(axis=0)}
        if i:
            target = units[i - 1] + back_layer(values, layer, target) - back_layer(values, layer, h)
    return value, slopes


def inverse_gradients(
    values: Values, hidden: list[SignLayer], x: Array, noise: float, rng: np.random.Generator
) -> Values:
    """Gradients of every inverse's distance from the noisy units it is to bring back."""
    slopes: Values = {}
    below = forward_layer(values, hidden[0], x)
    for layer in hidden[1:]:
        noisy = below + x.dtype.type(noise) * rng.standard_normal(below.shape).astype(x.dtype)
        outputs = forward_layer(values, layer, signs(noisy))
        found = back_layer(values, layer, outputs)
        dz = 2 * (found - noisy) * (1 - found**2) / x.dtype.type(len(x))
        slopes |= dict(zip(layer.inverse, (dz.T @ signs(outputs), dz.sum(axis=0)), strict=True))
        below = forward_layer(values, layer, signs(below))
    return slopes
