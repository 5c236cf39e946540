"""Exp: the exponential function."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Exp")
class Exp(TableLayer):
    """y = exp(x)"""

    def function(self, x: Array) -> Array:
        return np.exp(x)

    def derivative(self, x: Array) -> Array:
        return np.exp(x)
