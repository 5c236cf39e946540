"""Prelu: a rectifier whose leak is learned."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, unbroadcast
from refq.layers.binary import broadcast_shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Prelu")
class Prelu(Layer):
    """y = x where x >= 0, else alpha * x; alpha broadcasts against x without its batch axis.

    Integer path (LiteRT PRELU): d = x_q - z_x is requantized by s_x / s_y where d >= 0; else d * (alpha_q - z_alpha) by
    s_x * s_alpha / s_y; quotients in float32.
    """

    operands = ("x", "alpha")
    parameters = frozenset({"alpha"})

    def infer_shape(self, x: Shape, alpha: Shape) -> Shape:
        return broadcast_shape(x, alpha)

    def forward(self, x: Array, alpha: Array) -> Array:
        return np.where(x >= 0, x, alpha * x)

    def grad(self, dy: Array, x: Array, alpha: Array) -> tuple[Array | None, ...]:
        return dy * np.where(x >= 0, 1, alpha), unbroadcast(dy * np.minimum(x, 0), alpha.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        x, alpha = (q.astype(np.int64) - grid.zero_point for q, grid in zip(codes, grids, strict=True))
        requantize = arithmetic.requantizer(self.op, grids[0].bits)
        above = requantize.rescale(np.maximum(x, 0), grids[0].scale, over=out.scale)
        below = requantize.rescale(np.minimum(x, 0) * alpha, grids[0].scale, grids[1].scale, over=out.scale)
        return np.where(x >= 0, above, below) + out.zero_point

    def nest(self, x: Shape, alpha: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), weights=prod(alpha), outputs=prod(x), operations=prod(x))
