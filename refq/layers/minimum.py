"""Minimum: the smaller of two, elementwise, with broadcasting."""

import numpy as np

from refq.layers.base import Array
from refq.layers.maximum import Maximum
from refq.layers.registry import layer


@layer("Minimum")
class Minimum(Maximum):
    """y = min(a, b), shapes broadcast as in NumPy; in integers, both on the output grid first."""

    def forward(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)
