"""Sigmoid: the logistic function."""

import numpy as np

from refq.layers.base import Array, FixedGrid, TableLayer
from refq.layers.registry import layer


@layer("Sigmoid")
class Sigmoid(TableLayer):
    """y = 1 / (1 + exp(-x))"""

    output_grid = FixedGrid(0.0, 1.0)

    def function(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))  # never overflows
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e))

    def derivative(self, x: Array) -> Array:
        y = self.function(x)
        return y * (1 - y)
