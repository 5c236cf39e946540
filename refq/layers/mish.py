"""Mish: x gated by the tanh of its softplus."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.layers.sigmoid import Sigmoid


@layer("Mish")
class Mish(TableLayer):
    """y = x * tanh(log(1 + exp(x)))"""

    def function(self, x: Array) -> Array:
        return x * np.tanh(np.logaddexp(x, x.dtype.type(0)))

    def derivative(self, x: Array) -> Array:
        gate = np.tanh(np.logaddexp(x, x.dtype.type(0)))
        return gate + x * (1 - gate**2) * Sigmoid().function(x)
