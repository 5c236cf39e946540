"""Tile: a tensor repeated along its axes."""

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Tile")
class Tile(MoveLayer):
    """y[i] = x[i mod shape of x]: `multiples` copies along each axis"""

    multiples: tuple[int, ...]

    def infer_shape(self, x: Shape) -> Shape:
        if len(self.multiples) != len(x) or min(self.multiples) < 1:
            raise ShapeError(f"input shape {x} needs one multiple >= 1 an axis, got {self.multiples}")
        return tuple(size * times for size, times in zip(x, self.multiples, strict=True))

    def move(self, x: Array, fill: Any) -> Array:
        return np.tile(x, self.multiples)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        split = [n for pair in zip(self.multiples, x.shape, strict=True) for n in pair]
        return (dy.reshape(split).sum(axis=tuple(range(0, 2 * x.ndim, 2))),)
