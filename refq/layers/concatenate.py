"""Concatenate: inputs side by side along an axis."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic, round_real


@layer("Concatenate")
class Concatenate(Layer):
    """y = xs[0], xs[1], ... joined along `axis`

    Integer path: each input is rescaled to the output grid, then the codes are joined.
    """

    operands = ("*xs",)

    axis: int = -1

    def infer_shape(self, *xs: Shape) -> Shape:
        first = xs[0]
        if not -len(first) <= self.axis < len(first):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {first}")
        axis = self.axis % len(first)
        for shape in xs[1:]:
            if len(shape) != len(first) or any(
                a != b for i, (a, b) in enumerate(zip(first, shape, strict=True)) if i != axis
            ):
                raise ShapeError(f"shapes {first} and {shape} differ outside axis {self.axis}")
        return (*first[:axis], sum(shape[axis] for shape in xs), *first[axis + 1 :])

    def forward(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=self.axis)

    def grad(self, dy: Array, *xs: Array) -> tuple[Array | None, ...]:
        return tuple(np.split(dy, np.cumsum([x.shape[self.axis] for x in xs])[:-1], axis=self.axis))

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        requantizer = arithmetic.requantizer(self.op, out.bits)
        return np.concatenate(
            [rescale(x, grid, out, requantizer) for x, grid in zip(codes, grids, strict=True)], axis=self.axis
        )

    def integer_unsigned(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        """`integer`, by a table an input where its grid is another one.

            table[q] = round_half_away(q * s + b) + z_y,   s = s_x * (1 / s_y),   b = -z_x * s,   all in float32

        Notes
        -----
        LiteRT CONCATENATION on uint8. On int8 it takes equal grids only, where nothing is rescaled.
        """
        parts = []
        for x, grid in zip(codes, grids, strict=True):
            if grid != out:
                every = np.arange(grid.qmin, grid.qmax + 1).astype(np.float32)
                scale = grid.scale * (np.float32(1) / out.scale)
                steps = round_real(every * scale - grid.zero_point.astype(np.float32) * scale, "half_away")
                x = (np.clip(steps + out.zero_point, out.qmin, out.qmax).astype(np.int64))[
                    x.astype(np.int64) - grid.qmin
                ]
            parts.append(x.astype(np.int64))
        return np.concatenate(parts, axis=self.axis)

    def nest(self, *xs: Shape) -> LoopNest:
        return LoopNest(kind="move", inputs=tuple(map(prod, xs)), outputs=prod(self.infer_shape(*xs)))
