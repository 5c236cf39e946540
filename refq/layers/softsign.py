"""Softsign: x over one plus its magnitude."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Softsign")
class Softsign(TableLayer):
    """y = x / (1 + |x|)"""

    def function(self, x: Array) -> Array:
        return x / (1 + np.abs(x))

    def derivative(self, x: Array) -> Array:
        return 1 / (1 + np.abs(x)) ** 2
