"""Pad: a margin around a tensor."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic, round_real


@layer("Pad")
class Pad(MoveLayer):
    """y = x with (before, after) more places on every axis, holding `value` (or mirrored elements)

    Integer path: the margin holds the code of `value`; for 0 that is the zero point.
    """

    paddings: tuple[tuple[int, int], ...]
    value: float = 0.0
    mode: Literal["constant", "reflect", "symmetric"] = "constant"

    def infer_shape(self, x: Shape) -> Shape:
        if len(self.paddings) != len(x) or any(size < 0 for pair in self.paddings for size in pair):
            raise ShapeError(f"input shape {x} needs one (before, after) >= 0 an axis, got {self.paddings}")
        return tuple(size + sum(pair) for size, pair in zip(x, self.paddings, strict=True))

    def move(self, x: Array, fill: Any) -> Array:
        if self.mode == "constant":
            return np.pad(x, self.paddings, constant_values=fill)
        return np.pad(x, self.paddings, mode=self.mode)

    def forward(self, x: Array) -> Array:
        return self.move(x, x.dtype.type(self.value))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        if self.mode == "constant":
            inside = tuple(
                slice(before, before + size) for (before, _), size in zip(self.paddings, x.shape, strict=True)
            )
            return (dy[inside],)
        places = self.move(np.arange(x.size).reshape(x.shape), 0)
        return (np.bincount(places.ravel(), dy.ravel(), x.size).reshape(x.shape).astype(dy.dtype),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        steps = int(round_real(np.float64(self.value) / float(grid.scale), "half_away"))
        fill = min(max(steps + int(grid.zero_point), grid.qmin), grid.qmax)
        return rescale(self.move(codes[0], fill), grid, out, arithmetic.requantizer(self.op, grid.bits))
