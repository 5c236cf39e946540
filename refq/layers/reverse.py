"""Reverse: the other way round along axes."""

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Reverse")
class Reverse(MoveLayer):
    """y[..., i, ...] = x[..., size - 1 - i, ...] along `axes`"""

    axes: tuple[int, ...]

    def infer_shape(self, x: Shape) -> Shape:
        if any(not -len(x) <= axis < len(x) for axis in self.axes):
            raise ShapeError(f"axes {self.axes} do not exist in input shape {x}")
        return x

    def move(self, x: Array, fill: Any) -> Array:
        return np.flip(x, self.axes).copy()

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (np.flip(dy, self.axes),)
