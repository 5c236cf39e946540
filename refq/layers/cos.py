"""Cos: the cosine."""

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import cos, sin


@layer("Cos")
class Cos(TableLayer):
    """y = cos(x)"""

    def function(self, x: Array) -> Array:
        return cos(x)

    def derivative(self, x: Array) -> Array:
        return -sin(x)
