"""Sum: the total over axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array
from refq.layers.reduction import Reduction
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Sum")
class Sum(Reduction):
    """y = sum of x over `axes`

    Notes
    -----
    Integer path (LiteRT SUM): sum(x_q) - count * z_x, requantized by s_x / s_y. The reference kernel of LiteRT 2.3.0
    reads and clamps int8 and int16 as if they were uint8; this is the rule without that slip, as uint8 has it.
    """

    axes: tuple[int, ...]
    keepdims: bool = False

    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.reduced(x.shape), keepdims=self.keepdims, dtype=x.dtype)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (np.broadcast_to(self.expand(dy, x.shape), x.shape),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        steps = codes[0].astype(np.int64) - grid.zero_point
        acc = steps.sum(axis=self.reduced(steps.shape), keepdims=self.keepdims)
        acc = arithmetic.accumulator_for(grid.bits).fit(acc)
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        return requantizer.rescale(acc, grid.scale, over=out.scale) + out.zero_point
