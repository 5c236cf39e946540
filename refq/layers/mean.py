"""Mean: the average over axes; global average pooling."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array
from refq.layers.reduction import Reduction
from refq.layers.registry import layer
from refq.numerics import Arithmetic


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
        return (np.broadcast_to(self.expand(dy, x.shape) / self.count(x.shape), x.shape),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid, axes = grids[0], self.reduced(codes[0].shape)
        count = self.count(codes[0].shape)
        acc = codes[0].sum(axis=axes, keepdims=self.keepdims, dtype=np.int64) - count * int(grid.zero_point)
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        real = grid.scale.astype(np.float64) / out.scale.astype(np.float64)
        factors = requantizer.prepare(real)
        is_fixed_point = len(factors) == 2
        factors = fold_count(*factors, count) if is_fixed_point else requantizer.prepare(real / count)
        return requantizer.apply(acc, *factors) + out.zero_point
