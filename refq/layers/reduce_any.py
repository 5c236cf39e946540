"""ReduceAny: whether any element over axes is true."""

from typing import Any

import numpy as np

from refq.layers.base import Array, ExplicitLayer
from refq.layers.reduction import Reduction
from refq.layers.registry import layer


@layer("ReduceAny")
class ReduceAny(ExplicitLayer, Reduction):
    """y = logical or of x over `axes`; x and y are bool, the same on every path"""

    output_grid = "none"

    axes: tuple[int, ...]
    keepdims: bool = False

    def forward(self, x: Array) -> Array:
        return np.asarray(x.any(axis=self.reduced(x.shape), keepdims=self.keepdims))

    def grad(self, dy: Array, x: Array) -> tuple[Any, ...]:
        return (None,)
