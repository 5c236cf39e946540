"""Softplus: a smooth rectifier."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.layers.sigmoid import Sigmoid


@layer("Softplus")
class Softplus(TableLayer):
    """y = log(1 + exp(x))"""

    def function(self, x: Array) -> Array:
        return np.logaddexp(x, x.dtype.type(0))

    def derivative(self, x: Array) -> Array:
        return Sigmoid().function(x)
