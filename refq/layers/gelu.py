"""Gelu: x gated by the normal distribution function."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import erfc, tanh
from refq.numerics.erf import erf

_TANH_SCALE = 0.7978845608028654  # sqrt(2 / pi)
_TANH_CUBIC = 0.044715
_ROOT_HALF = 0.7071067811865476


@layer("Gelu")
class Gelu(TableLayer):
    """y = x * (1 + erf(x / sqrt 2)) / 2, or with `approximate` x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3))) / 2

    Notes
    -----
    Hendrycks and Gimpel 2016. The order of operations in float32 is that of LiteRT's tables; erfc instead of 1 + erf
    keeps the digits of small results.
    """

    is_interpolated = True

    approximate: bool = False

    def function(self, x: Array) -> Array:
        kind = x.dtype.type
        if self.approximate:
            inner = kind(_TANH_SCALE) * (x + kind(_TANH_CUBIC) * x * x * x)
            return kind(0.5) * x * (1 + tanh(inner))
        return kind(0.5) * x * erfc(x * kind(-_ROOT_HALF))

    def derivative(self, x: Array) -> Array:
        if self.approximate:
            gate = np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x**3))
            return (1 + gate + x * (1 - gate**2) * _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x**2)) / 2
        return (1 + erf(x / np.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
