"""Mean: the average over axes; global average pooling."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


class Reduction(Layer):
    """What the layers share that reduce over axes: shape rule and loop nest."""

    axes: tuple[int, ...]
    keepdims: bool

    def infer_shape(self, x: Shape) -> Shape:
        axes = self.reduced(x)
        if self.keepdims:
            return tuple(1 if axis in axes else size for axis, size in enumerate(x))
        return tuple(size for axis, size in enumerate(x) if axis not in axes)

    def reduced(self, x: Shape) -> tuple[int, ...]:
        """The reduced axes, counted from the front."""
        if any(not -len(x) <= axis < len(x) for axis in self.axes):
            raise ShapeError(f"axes {self.axes} do not exist in input shape {x}")
        return tuple(axis % len(x) for axis in self.axes)

    def expand(self, y: Array, x: Shape) -> Array:
        """A result with its reduced axes back, as size 1."""
        return y if self.keepdims else np.expand_dims(y, self.reduced(x))

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="pool", inputs=(prod(x),), outputs=prod(self.infer_shape(x)), operations=max(prod(x), 1))


def fold_count(m: Array, s: Array, count: int) -> tuple[Array, Array]:
    """A multiplier (m, s) divided by `count`: k = min(floor(log2 count), 32, 31 + s), ((m << k) // count, s - k).

    Notes
    -----
    LiteRT MEAN. The shift before the division keeps the bits that the division would lose.
    """
    k = np.minimum(np.minimum(count.bit_length() - 1, 32), 31 + s.astype(np.int64))
    return (m.astype(np.int64) << k) // count, s - k


@layer("Mean")
class Mean(Reduction):
    """y = sum of x over `axes` / how many there are

    Notes
    -----
    Integer path (LiteRT MEAN): acc = sum(x_q) - count * z_x, requantized by s_x / s_y with 1/count folded into the
    multiplier, see `fold_count`.
    """

    axes: tuple[int, ...]
    keepdims: bool = False

    def forward(self, x: Array) -> Array:
        return x.mean(axis=self.reduced(x.shape), keepdims=self.keepdims)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        count = prod(x.shape[axis] for axis in self.reduced(x.shape))
        return (np.broadcast_to(self.expand(dy, x.shape) / count, x.shape),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid, axes = grids[0], self.reduced(codes[0].shape)
        count = prod(codes[0].shape[axis] for axis in axes)
        acc = codes[0].sum(axis=axes, keepdims=self.keepdims, dtype=np.int64) - count * int(grid.zero_point)
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        real = grid.scale.astype(np.float64) / out.scale.astype(np.float64)
        factors = requantizer.prepare(real)
        is_fixed_point = len(factors) == 2
        factors = fold_count(*factors, count) if is_fixed_point else requantizer.prepare(real / count)
        return requantizer.apply(acc, *factors) + out.zero_point
