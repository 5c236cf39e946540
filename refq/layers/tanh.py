"""Tanh: the hyperbolic tangent."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, FixedGrid, TableLayer, is_symmetric_int16
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.elementary import tanh
from refq.numerics.sigmoid_table import Q15_SCALE, steps_of_codes, tanh_of_steps


@layer("Tanh")
class Tanh(TableLayer):
    """y = tanh(x)

    Integer path: a table with an entry a code; from int16 with zero point 0 to steps of 2**-15 LiteRT's interpolation
    in one table for all scales, see `refq.numerics.sigmoid_table`.
    """

    output_grid = FixedGrid(-1.0, 1.0)

    def function(self, x: Array) -> Array:
        return tanh(x)

    def derivative(self, x: Array) -> Array:
        return 1 - np.tanh(x) ** 2

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        if is_symmetric_int16(grids[0]) and is_symmetric_int16(out) and out.scale == Q15_SCALE:
            return tanh_of_steps(steps_of_codes(codes[0], grids[0].scale, exact_shifts=(0, 1)))
        return super().integer(codes, grids, out, arithmetic)
