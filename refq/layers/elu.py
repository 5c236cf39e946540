"""Elu: exponential below zero."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import exp, expm1


@layer("Elu")
class Elu(TableLayer):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""

    alpha: float = 1.0

    def function(self, x: Array) -> Array:
        return np.where(x > 0, x, x.dtype.type(self.alpha) * expm1(np.minimum(x, 0)))

    def derivative(self, x: Array) -> Array:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.alpha) * exp(np.minimum(x, 0)))
