"""Select: one of two, elementwise, by a condition."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale, unbroadcast
from refq.layers.binary import broadcast_shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Select")
class Select(Layer):
    """y = a where condition, else b; shapes broadcast as in NumPy; in integers, both on the output grid first.

    condition : bool
    """

    operands = ("condition", "a", "b")

    def infer_shape(self, condition: Shape, a: Shape, b: Shape) -> Shape:
        return broadcast_shape(condition, broadcast_shape(a, b))

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def grad(self, dy: Array, condition: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        zero = np.zeros_like(dy)
        return (
            None,
            unbroadcast(np.where(condition, dy, zero), a.shape),
            unbroadcast(np.where(condition, zero, dy), b.shape),
        )

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        requantizer = arithmetic.requantizer(self.op, out.bits)
        a, b = (rescale(q, grid, out, requantizer) for q, grid in zip(codes[1:], grids[1:], strict=True))
        return self.forward(codes[0], a, b)

    def nest(self, condition: Shape, a: Shape, b: Shape) -> LoopNest:
        size = prod(self.infer_shape(condition, a, b))
        return LoopNest(kind="elementwise", inputs=(prod(condition), prod(a), prod(b)), outputs=size, operations=size)
