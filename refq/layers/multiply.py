"""Multiply: elementwise product with broadcasting."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, unbroadcast
from refq.layers.binary import Binary
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Multiply")
class Multiply(Binary):
    """y = a * b, shapes broadcast as in NumPy.

    Integer path (LiteRT MUL): (a_q - z_a) * (b_q - z_b), requantized by s_a * s_b / s_y formed in float32.
    """

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy * b, a.shape), unbroadcast(dy * a, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        a, b = (q.astype(np.int64) - grid.zero_point for q, grid in zip(codes, grids, strict=True))
        acc = arithmetic.accumulator_for(grids[0].bits).fit(a * b)
        requantizer = arithmetic.requantizer(self.op, grids[0].bits)
        return requantizer.rescale(acc, grids[0].scale, grids[1].scale, over=out.scale) + out.zero_point
