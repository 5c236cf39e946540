"""Sigmoid: the logistic function."""

from collections.abc import Sequence
from typing import Any

from refq.layers.base import Array, FixedGrid, TableLayer, is_symmetric_int16
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.elementary import exp
from refq.numerics.sigmoid_table import Q15_SCALE, sigmoid_of_steps, steps_of_codes


@layer("Sigmoid")
class Sigmoid(TableLayer):
    """y = 1 / (1 + exp(-x))

    Integer path: a table with an entry a code; from int16 with zero point 0 to steps of 2**-15 LiteRT's interpolation
    in one table for all scales, see `refq.numerics.sigmoid_table`.
    """

    output_grid = FixedGrid(0.0, 1.0)

    def function(self, x: Array) -> Array:
        return 1 / (1 + exp(-x))

    def derivative(self, x: Array) -> Array:
        y = self.function(x)
        return y * (1 - y)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        if is_symmetric_int16(grids[0]) and is_symmetric_int16(out) and out.scale == Q15_SCALE:
            return sigmoid_of_steps(steps_of_codes(codes[0], grids[0].scale, exact_shifts=(0,)))
        return super().integer(codes, grids, out, arithmetic)
