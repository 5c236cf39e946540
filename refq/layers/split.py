"""Split: a tensor cut along an axis into several."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest, QParams
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Split")
class Split(Layer):
    """ys[k] = x[begin_k : begin_k + sizes[k]] along `axis`, begin_k = sizes[0] + ... + sizes[k-1]

    The gradient dy is a tuple, one array an output.
    """

    output_grid = "same"

    sizes: tuple[int, ...]
    axis: int = 0

    def infer_shape(self, x: Shape) -> Any:
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        axis = self.axis % len(x)
        if not self.sizes or min(self.sizes) < 1 or sum(self.sizes) != x[axis]:
            raise ShapeError(f"sizes {self.sizes} do not add up to {x[axis]}, the size of axis {axis} of shape {x}")
        return tuple((*x[:axis], size, *x[axis + 1 :]) for size in self.sizes)

    def forward(self, x: Array) -> tuple[Array, ...]:
        self.infer_shape(x.shape)
        return tuple(np.split(x, np.cumsum(self.sizes)[:-1], axis=self.axis))

    def grad(self, dy: Any, x: Array) -> tuple[Array | None, ...]:
        return (np.concatenate(dy, axis=self.axis),)

    def integer(
        self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic
    ) -> tuple[Array, ...]:
        outs: tuple[QParams, ...] = out if isinstance(out, tuple) else (out,)
        requantizer = arithmetic.requantizer(self.op, grids[0].bits)
        parts = self.forward(codes[0])
        return tuple(rescale(part, grids[0], grid, requantizer) for part, grid in zip(parts, outs, strict=True))

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="move", inputs=(prod(x),), outputs=prod(x))
