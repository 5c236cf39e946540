"""Average: elementwise mean of several inputs of one shape."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Average")
class Average(Layer):
    """y = (xs[0] + ... + xs[n-1]) / n

    Integer path: each x_q - z is shifted left by 20 (15 for 16-bit codes) and requantized by s_x / t with t = n times
    the largest scale; the sum is requantized by t / (2**left * n * s_y).
    """

    operands = ("*xs",)

    def infer_shape(self, *xs: Shape) -> Shape:
        for shape in xs[1:]:
            if shape != xs[0]:
                raise ShapeError(f"shapes {xs[0]} and {shape} differ; an average needs equal ones")
        return xs[0]

    def forward(self, *xs: Array) -> Array:
        return sum(xs[1:], xs[0]) / len(xs)

    def grad(self, dy: Array, *xs: Array) -> tuple[Array | None, ...]:
        return tuple(dy / len(xs) for _ in xs)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        bits, n = grids[0].bits, len(codes)
        requantize = arithmetic.requantizer(self.op, bits)
        left = 20 if bits <= 8 else 15
        scales = [float(grid.scale) for grid in grids]
        common = n * max(scales)
        aligned = [
            requantize((q.astype(np.int64) - grid.zero_point) << left, scale / common)
            for q, grid, scale in zip(codes, grids, scales, strict=True)
        ]
        return requantize(sum(aligned), common / ((1 << left) * n * float(out.scale))) + out.zero_point

    def nest(self, *xs: Shape) -> LoopNest:
        size = prod(xs[0])
        return LoopNest(kind="elementwise", inputs=tuple(map(prod, xs)), outputs=size, operations=size * len(xs))
