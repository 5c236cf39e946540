"""Cumsum: running totals along an axis."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Cumsum")
class Cumsum(Layer):
    """y[i] = x[0] + ... + x[i] along `axis`; without x[i] where `exclusive`; from the other end where `reverse`

    Integer path: running totals of x_q - z_x, requantized by s_x / s_y. LiteRT has reals and plain integers only.
    """

    axis: int = 0
    exclusive: bool = False
    reverse: bool = False

    def infer_shape(self, x: Shape) -> Shape:
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        return x

    def _totals(self, x: Array, reverse: bool) -> Array:
        ordered = np.flip(x, self.axis) if reverse else x
        totals = np.cumsum(ordered, axis=self.axis, dtype=x.dtype)
        if self.exclusive:
            totals = totals - ordered if x.dtype.kind in "iu" else self._shifted(totals)
        return np.flip(totals, self.axis).copy() if reverse else totals

    def _shifted(self, totals: Array) -> Array:
        """Totals one place on, 0 first: a difference of reals would not be exact."""
        last = np.moveaxis(totals, self.axis, -1)
        shifted = np.concatenate([np.zeros_like(last[..., :1]), last[..., :-1]], axis=-1)
        return np.moveaxis(shifted, -1, self.axis)

    def forward(self, x: Array) -> Array:
        return self._totals(x, self.reverse)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (self._totals(dy, not self.reverse),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        acc = arithmetic.accumulator_for(grid.bits).fit(self.forward(codes[0].astype(np.int64) - grid.zero_point))
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        return requantizer.rescale(acc, grid.scale, over=out.scale) + out.zero_point

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x), operations=prod(x))
