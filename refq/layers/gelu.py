"""Gelu: x gated by the normal distribution function."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.erf import erf

_TANH_SCALE = 0.7978845608028654  # sqrt(2 / pi)
_TANH_CUBIC = 0.044715


@layer("Gelu")
class Gelu(TableLayer):
    """y = x * (1 + erf(x / sqrt 2)) / 2, or with `approximate` x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3))) / 2

    Hendrycks and Gimpel 2016.
    """

    approximate: bool = False

    def function(self, x: Array) -> Array:
        if self.approximate:
            return x * (1 + np.tanh(x.dtype.type(_TANH_SCALE) * (x + x.dtype.type(_TANH_CUBIC) * x**3))) / 2
        return x * (1 + erf(x / x.dtype.type(np.sqrt(2)))) / 2

    def derivative(self, x: Array) -> Array:
        if self.approximate:
            gate = np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x**3))
            return (1 + gate + x * (1 - gate**2) * _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x**2)) / 2
        return (1 + erf(x / np.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
