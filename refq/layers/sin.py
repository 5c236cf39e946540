"""Sin: the sine."""

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import cos, sin


@layer("Sin")
class Sin(TableLayer):
    """y = sin(x)"""

    def function(self, x: Array) -> Array:
        return sin(x)

    def derivative(self, x: Array) -> Array:
        return cos(x)
