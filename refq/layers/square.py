"""Square: the second power."""

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Square")
class Square(TableLayer):
    """y = x * x"""

    def function(self, x: Array) -> Array:
        return x * x

    def derivative(self, x: Array) -> Array:
        return 2 * x
