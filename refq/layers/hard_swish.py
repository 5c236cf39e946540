"""HardSwish: x gated by a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.hard_swish import hard_swish, hard_swish_parameters


@layer("HardSwish")
class HardSwish(TableLayer):
    """y = x * min(max(x + 3, 0), 6) / 6

    Integer path: 8-bit codes by LiteRT's 16-bit words, see `refq.numerics.hard_swish`; wider ones have a table.
    """

    def function(self, x: Array) -> Array:
        return x * np.clip(x + 3, 0, 6) / 6

    def derivative(self, x: Array) -> Array:
        inside = (2 * x + 3) / 6
        return np.where(x <= -3, 0, np.where(x >= 3, 1, inside)).astype(x.dtype)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        if grid.bits > 8:
            return super().integer(codes, grids, out, arithmetic)
        steps = codes[0].astype(np.int64) - grid.zero_point
        return hard_swish(steps, *hard_swish_parameters(grid.scale, out.scale)) + out.zero_point
