"""Reduction: what the layers share that reduce over axes."""

from math import prod

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape


class Reduction(Layer):
    """Shape rule and loop nest of y = reduce x over `axes`."""

    axes: tuple[int, ...]
    keepdims: bool

    def infer_shape(self, x: Shape) -> Shape:
        axes = self.reduced(x)
        if self.keepdims:
            return tuple(1 if axis in axes else size for axis, size in enumerate(x))
        return tuple(size for axis, size in enumerate(x) if axis not in axes)

    def reduced(self, x: Shape) -> tuple[int, ...]:
        """The reduced axes, counted from the front."""
        if any(not -len(x) <= axis < len(x) for axis in self.axes):
            raise ShapeError(f"axes {self.axes} do not exist in input shape {x}")
        return tuple(axis % len(x) for axis in self.axes)

    def count(self, x: Shape) -> int:
        """How many elements fall into one."""
        return prod(x[axis] for axis in self.reduced(x))

    def expand(self, y: Array, x: Shape) -> Array:
        """A result with its reduced axes back, as size 1."""
        return y if self.keepdims else np.expand_dims(y, self.reduced(x))

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="pool", inputs=(prod(x),), outputs=prod(self.infer_shape(x)), operations=max(prod(x), 1))
