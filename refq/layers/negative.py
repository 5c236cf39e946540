"""Negative: the opposite."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Negative")
class Negative(TableLayer):
    """y = -x

    Integer path: R[s_x / s_y](z_x - x_q) + z_y; with `of_codes` y_q = -x_q in the width of the codes, whatever their
    grids: LiteRT NEG on int8 and int16, right where scales are equal and zero points 0. Its lowest code stays itself.
    """

    of_codes: bool = False

    def function(self, x: Array) -> Array:
        return -x

    def derivative(self, x: Array) -> Array:
        return np.full_like(x, -1)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid, x = grids[0], codes[0].astype(np.int64)
        if self.of_codes:
            lowest = -(1 << (grid.bits - 1))
            return np.where(x == lowest, lowest, -x)
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        return requantizer.rescale(grid.zero_point - x, grid.scale, over=out.scale) + out.zero_point
