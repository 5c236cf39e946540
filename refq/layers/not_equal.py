"""NotEqual: whether two differ, elementwise."""

from refq.layers.base import Array
from refq.layers.comparison import Comparison
from refq.layers.registry import layer


@layer("NotEqual")
class NotEqual(Comparison):
    """y = a != b, bool; see `Comparison` for codes; LiteRT rescales int16 here, and only here"""

    rescaled_bits = 16

    def compare(self, a: Array, b: Array) -> Array:
        return a != b
