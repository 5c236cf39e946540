"""Selu: the self-normalizing unit."""

from typing import ClassVar

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("Selu")
class Selu(TableLayer):
    """y = scale * x where x > 0, else scale * alpha * (exp(x) - 1); Klambauer et al. 2017, section 2."""

    alpha: ClassVar[float] = 1.6732632423543772
    scale: ClassVar[float] = 1.0507009873554805

    def function(self, x: Array) -> Array:
        bend = x.dtype.type(self.alpha) * np.expm1(np.minimum(x, 0))
        return x.dtype.type(self.scale) * np.where(x > 0, x, bend)

    def derivative(self, x: Array) -> Array:
        bend = x.dtype.type(self.alpha) * np.exp(np.minimum(x, 0))
        return x.dtype.type(self.scale) * np.where(x > 0, x.dtype.type(1), bend)
