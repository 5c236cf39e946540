"""LogSoftmax: the logarithm of softmax."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.graph import LoopNest
from refq.layers.base import Array, FixedGrid, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.softmax8 import integer_log_softmax

_GRID = FixedGrid(-255 / 16, 1 / 16)


@layer("LogSoftmax")
class LogSoftmax(Layer):
    """y = x - max x - log sum exp(x - max x) along `axis`

    Integer path: 8-bit codes to steps of 1/16, the highest code standing for 0; see
    `refq.numerics.softmax8.integer_log_softmax` (LiteRT LOG_SOFTMAX).
    """

    output_grid = _GRID

    axis: int = -1

    def infer_shape(self, x: Shape) -> Shape:
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        return x

    def forward(self, x: Array) -> Array:
        d = x - x.max(axis=self.axis, keepdims=True)
        return d - np.log(np.exp(d).sum(axis=self.axis, keepdims=True))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy - np.exp(self.forward(x)) * dy.sum(axis=self.axis, keepdims=True),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        if grid.bits > 8 or out != _GRID.qparams(8, out.signed):
            raise UnsupportedError(
                f"integer log-softmax of {grid.bits}-bit codes to scale {out.scale}, zero point {out.zero_point}: "
                "8-bit codes and an output of scale 1/16, 0 at the highest code, are needed"
            )
        last = np.moveaxis(codes[0], self.axis, -1)
        return np.moveaxis(integer_log_softmax(last, float(grid.scale)), -1, self.axis) + out.zero_point

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="softmax", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
