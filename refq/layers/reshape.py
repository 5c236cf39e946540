"""Reshape: the same elements under other axes."""

from math import prod
from typing import Any

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Reshape")
class Reshape(MoveLayer):
    """flat(y) = flat(x): the elements of x in row-major order under new axes.

    shape : the target; 0 keeps the input's size of that axis, -1 (once) takes what is left.
    """

    shape: tuple[int, ...]

    def infer_shape(self, x: Shape) -> Shape:
        if any(size == 0 and axis >= len(x) for axis, size in enumerate(self.shape)):
            raise ShapeError(f"target {self.shape} keeps an axis that input shape {x} does not have")
        target = [x[axis] if size == 0 else size for axis, size in enumerate(self.shape)]
        if target.count(-1) == 1:
            known = -prod(target)
            target[target.index(-1)] = prod(x) // known if known and prod(x) % known == 0 else -1
        if prod(target) != prod(x) or -1 in target:
            raise ShapeError(f"input shape {x} has {prod(x)} elements and cannot take the shape {self.shape}")
        return tuple(target)

    def move(self, x: Array, fill: Any) -> Array:
        return x.reshape(self.infer_shape(x.shape))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy.reshape(x.shape),)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="none", inputs=(prod(x),), outputs=prod(x))
