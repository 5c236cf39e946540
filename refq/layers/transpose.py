"""Transpose: axes in another order."""

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Transpose")
class Transpose(MoveLayer):
    """y[i[perm[0]], i[perm[1]], ...] = x[i[0], i[1], ...]: axis k of y is axis perm[k] of x"""

    perm: tuple[int, ...]

    def infer_shape(self, x: Shape) -> Shape:
        if sorted(self.perm) != list(range(len(x))):
            raise ShapeError(f"perm {self.perm} is not an order of the {len(x)} axes of input shape {x}")
        return tuple(x[axis] for axis in self.perm)

    def move(self, x: Array, fill: Any) -> Array:
        return np.ascontiguousarray(x.transpose(self.perm))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy.transpose(np.argsort(self.perm)),)
