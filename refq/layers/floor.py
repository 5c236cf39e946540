"""Floor: the largest integer not above x."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Floor")
class Floor(TableLayer):
    """y = the largest integer not above x; its derivative is 0"""

    def function(self, x: Array) -> Array:
        return np.floor(x)

    def derivative(self, x: Array) -> Array:
        return np.zeros_like(x)
