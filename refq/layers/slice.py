"""Slice: a regular part of a tensor."""

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Slice")
class Slice(MoveLayer):
    """y = x[begin:end:strides] on every axis, as Python slices; axes in `squeeze` (size 1 then) are dropped"""

    begin: tuple[int | None, ...]
    end: tuple[int | None, ...]
    strides: tuple[int, ...] | None = None
    squeeze: tuple[int, ...] = ()

    def index(self, x: Shape) -> tuple[slice, ...]:
        """The slices, one an axis."""
        strides = self.strides or (1,) * len(x)
        if not len(self.begin) == len(self.end) == len(strides) == len(x) or 0 in strides:
            raise ShapeError(f"input shape {x} needs begin, end and non-zero strides an axis, got {self}")
        return tuple(map(slice, self.begin, self.end, strides))

    def infer_shape(self, x: Shape) -> Shape:
        sizes = [len(range(*part.indices(size))) for part, size in zip(self.index(x), x, strict=True)]
        if any(sizes[axis] != 1 for axis in self.squeeze) or prod(sizes) == 0:
            raise ShapeError(f"input shape {x} sliced by {self} leaves {tuple(sizes)}")
        return tuple(size for axis, size in enumerate(sizes) if axis not in self.squeeze)

    def move(self, x: Array, fill: Any) -> Array:
        return x[self.index(x.shape)].reshape(self.infer_shape(x.shape))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        dx = np.zeros_like(x)
        inside = dx[self.index(x.shape)]
        inside += dy.reshape(inside.shape)
        return (dx,)
