"""Tanh: the hyperbolic tangent."""

import numpy as np

from refq.layers.base import Array, FixedGrid, TableLayer
from refq.layers.registry import layer


@layer("Tanh")
class Tanh(TableLayer):
    """y = tanh(x)"""

    output_grid = FixedGrid(-1.0, 1.0)

    def function(self, x: Array) -> Array:
        return np.tanh(x)

    def derivative(self, x: Array) -> Array:
        return 1 - np.tanh(x) ** 2
