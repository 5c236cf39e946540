"""Ceil: the smallest integer not below x."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Ceil")
class Ceil(TableLayer):
    """y = the smallest integer not below x; its derivative is 0"""

    def function(self, x: Array) -> Array:
        return np.ceil(x)

    def derivative(self, x: Array) -> Array:
        return np.zeros_like(x)
