"""A dense network of signs, trained from its random start by straight-through gradients and by targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import refq
from models.keras_writer import Network as Builder
from models.methods.method import Method
from models.train import graph_of
from refq.graph import Graph
from refq.quantizers.learning import clipped, target_propagation
from refq.quantizers.learning.estimators import Estimator
from refq.training import Network, adam, cosine, fit, fit_difference_targets

_HIDDEN, _EPOCHS = 128, 40


def signs(x: Any, classes: int, seed: int) -> Graph:
    """Two hidden layers whose outputs are signs."""
    net = Builder("dense_signs")
    flow = net.flatten(net.input(x.shape[1:]))
    for _ in range(2):
        flow = net.activation(net.dense(flow, _HIDDEN), "relu")
    net.output(net.dense(flow, classes, activation="softmax"))
    graph = graph_of(net, seed)
    return graph.with_nodes(
        [replace(node, op="Binarize", attrs={}) if node.op == "Relu" else node for node in graph.nodes]
    )


def by_gradients(estimator: Estimator) -> Callable[..., Graph]:
    """Training by the reverse sweep, with this gradient of the sign."""

    def run(x: Any, y: Any, seed: int) -> Graph:
        network = Network(graph=signs(x, int(y.max()) + 1, seed), surrogates={"Binarize": estimator})
        trained = fit(
            network, (x, y), epochs=_EPOCHS, batch_size=32, optimizer=adam(), schedule=cosine(3e-3), seed=seed
        )
        return refq.quantize(trained.graph, x)

    return run


def by_difference_targets(x: Any, y: Any, seed: int) -> Graph:
    """Training by targets that learned inverses bring down."""
    graph = signs(x, int(y.max()) + 1, seed)
    trained = fit_difference_targets(graph, (x, y), epochs=_EPOCHS, batch_size=32, schedule=cosine(3e-3), seed=seed)
    return refq.quantize(trained.graph, x)


DENSE_SIGNS: dict[str, Method] = {
    "dense signs, straight through": Method(bits="8 / 1", whole=by_gradients(clipped)),
    "dense signs, feasible targets": Method(bits="8 / 1", whole=by_gradients(target_propagation(weighted=True))),
    "dense signs, difference targets": Method(bits="8 / 1", whole=by_difference_targets),
}
