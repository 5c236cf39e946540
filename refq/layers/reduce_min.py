"""ReduceMin: the smallest value over axes."""

import numpy as np

from refq.layers.base import Array
from refq.layers.reduce_max import ReduceMax
from refq.layers.registry import layer


@layer("ReduceMin")
class ReduceMin(ReduceMax):
    """y = min of x over `axes`; the gradient is shared among equal minima"""

    def forward(self, x: Array) -> Array:
        return np.min(x, axis=self.reduced(x.shape), keepdims=self.keepdims)
