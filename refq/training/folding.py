"""Batch normalization that is folded into the layer before it at every step, with the statistics of the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refq.graph import Graph
from refq.layers import MacLayer, layer_for

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folding:
    """What the folded weight and bias of one layer are made of.

    weight, bias : names of the folded constants
    kernel, gamma, beta : start of what is trained, under weight/kernel, weight/gamma, weight/beta
    mean, variance : start of the running averages, under weight/mean, weight/variance
    axis : of output channels of the weight
    """

    weight: str
    bias: str
    kernel: Array
    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float
    axis: int

    def key(self, part: str) -> str:
        """The name under which a run holds a part."""
        return f"{self.weight}/{part}"

    def starts(self, parts: tuple[str, ...], dtype: Any) -> dict[str, Array]:
        """Parts by their names."""
        return {self.key(part): np.asarray(getattr(self, part), dtype) for part in parts}

    def folded(self, kernel: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
        """w' = w * a,  b' = beta - mean * a,  a = gamma / sqrt(variance + epsilon)."""
        factor = gamma / np.sqrt(variance + variance.dtype.type(self.epsilon))
        return kernel * self._along(factor, kernel.ndim), beta - mean * factor

    def settled(self, values: dict[str, Array], statistics: dict[str, Array]) -> dict[str, Array]:
        """The folded constants of a run's values and running averages, by name."""
        held = [values[self.key(part)] for part in ("kernel", "gamma", "beta")]
        averages = [statistics[self.key(part)] for part in ("mean", "variance")]
        return dict(zip((self.weight, self.bias), self.folded(*held, *averages), strict=True))

    def _along(self, values: Array, ndim: int) -> Array:
        shape = [1] * ndim
        shape[self.axis] = -1
        return values.reshape(shape)

    def pull(
        self, dw: Array, db: Array, kernel: Array, gamma: Array, mean: Array, variance: Array
    ) -> tuple[Array, Array, Array, Array, Array]:
        """Gradients of kernel, gamma, beta, mean and variance, from those of the folded weight and bias."""
        inverse = 1 / np.sqrt(variance + variance.dtype.type(self.epsilon))
        factor = gamma * inverse
        others = tuple(i for i in range(kernel.ndim) if i != self.axis)
        dfactor = (dw * kernel).sum(axis=others) - mean * db
        dvariance = dfactor * factor * inverse**2 / -2
        return dw * self._along(factor, kernel.ndim), dfactor * inverse, db, -factor * db, dvariance


class Batch(NamedTuple):
    """A layer's folded weight and bias, the batch's mean and variance, and (dw, db) -> (dx, dkernel, dgamma, dbeta)."""

    weight: Array
    bias: Array
    mean: Array
    variance: Array
    pull: Callable[[Array, Array], tuple[Array, Array, Array, Array]]


def fold_batch(folding: Folding, layer: MacLayer, x: Array, kernel: Array, gamma: Array, beta: Array) -> Batch:
    """Fold with the statistics of the batch, which the layer on real weights gives.

        y = layer(x, w);   mean, variance of y over all axes but the last

    Notes
    -----
    Jacob et al. 2018, section 3.2: a second product of the layer, for the statistics alone, and
    gradients through them.
    """
    y = layer.forward(x, kernel)
    axes = tuple(range(y.ndim - 1))
    count = y.dtype.type(y.size // y.shape[-1])
    mean = y.mean(axis=axes)
    centred = y - mean
    variance = (centred**2).mean(axis=axes)

    def pull(dw: Array, db: Array) -> tuple[Array, Array, Array, Array]:
        dkernel, dgamma, dbeta, dmean, dvariance = folding.pull(dw, db, kernel, gamma, mean, variance)
        dx, more = layer.grad((dmean + 2 * dvariance * centred) / count, x, kernel)[:2]
        assert dx is not None
        assert more is not None
        return dx, dkernel + more, dgamma, dbeta

    weight, bias = folding.folded(kernel, gamma, beta, mean, variance)
    return Batch(weight, bias, mean, variance, pull)


def foldings(graph: Graph, folded: Graph) -> dict[str, Folding]:
    """Node name -> what was folded into it.

    Parameters
    ----------
    graph : with normalization
    folded : of `refq.transforms.fold_batchnorm`, and what was made of it since
    """
    left = {node.name: node for node in folded.nodes}
    found: dict[str, Folding] = {}
    for norm in graph.nodes:
        source = graph.producer(norm.inputs[0]) if norm.op == "BatchNormalization" and norm.name not in left else None
        if source is None or source.name not in left:
            continue
        gamma, beta, mean, variance = (graph.constants[name] for name in norm.inputs[1:])
        bias = graph.constants[source.inputs[2]] if any(source.inputs[2:]) else 0.0
        layer = layer_for(source)
        assert isinstance(layer, MacLayer)
        found[source.name] = Folding(
            weight=left[source.name].inputs[1],
            bias=left[source.name].inputs[2],
            kernel=graph.constants[source.inputs[1]],
            gamma=gamma,
            beta=beta,
            mean=mean - bias,  # a bias before normalization only moves the mean
            variance=variance,
            epsilon=layer_for(norm).epsilon,
            axis=layer.weight_axis,
        )
    return found
