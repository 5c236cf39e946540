"""ReduceMax: the largest value over axes; global max pooling."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, rescale
from refq.layers.reduction import Reduction
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("ReduceMax")
class ReduceMax(Reduction):
    """y = max of x over `axes`"""

    output_grid = "same"

    axes: tuple[int, ...]
    keepdims: bool = False

    def forward(self, x: Array) -> Array:
        return np.max(x, axis=self.reduced(x.shape), keepdims=self.keepdims)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        wins = x == self.expand(self.forward(x), x.shape)
        shared = wins.sum(axis=self.reduced(x.shape), keepdims=True)
        return (wins * self.expand(dy, x.shape) / shared,)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        return rescale(self.forward(codes[0]), grids[0], out, arithmetic.requantizer(self.op, grids[0].bits))
