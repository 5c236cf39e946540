"""Abs: the magnitude."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Abs")
class Abs(TableLayer):
    """y = |x|

    Integer path: R[s_x / s_y](|x_q - z_x|) + z_y, the quotient in float32; LiteRT ABS on int8 and int16.
    """

    def function(self, x: Array) -> Array:
        return np.abs(x)

    def derivative(self, x: Array) -> Array:
        return np.sign(x)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        steps = np.abs(codes[0].astype(np.int64) - grid.zero_point)
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        return requantizer.rescale(steps, grid.scale, over=out.scale) + out.zero_point
