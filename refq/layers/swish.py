"""Swish (SiLU): x gated by its logistic function."""

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.layers.sigmoid import Sigmoid


@layer("Swish")
class Swish(TableLayer):
    """y = x / (1 + exp(-x))"""

    def function(self, x: Array) -> Array:
        return x * Sigmoid().function(x)

    def derivative(self, x: Array) -> Array:
        s = Sigmoid().function(x)
        return s * (1 + x * (1 - s))
