"""Exp: the exponential function."""

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import exp


@layer("Exp")
class Exp(TableLayer):
    """y = exp(x)"""

    is_interpolated = True

    def function(self, x: Array) -> Array:
        return exp(x)

    def derivative(self, x: Array) -> Array:
        return exp(x)
