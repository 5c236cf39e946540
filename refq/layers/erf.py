"""Erf: the error function."""

import numpy as np

from refq.layers.base import Array, FixedGrid, TableLayer
from refq.layers.registry import layer
from refq.numerics.erf import erf


@layer("Erf")
class Erf(TableLayer):
    """y = 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x

    Integer path: a table with an entry a code; LiteRT has no such kernel. ONNX Erf.
    """

    output_grid = FixedGrid(-1.0, 1.0)

    def function(self, x: Array) -> Array:
        return erf(x)

    def derivative(self, x: Array) -> Array:
        return 2 / np.sqrt(np.pi) * np.exp(-x * x)
