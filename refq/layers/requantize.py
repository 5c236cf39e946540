"""Requantize: the same reals on another grid."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.graph import LoopNest
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.quantizers.apply import dequantize_array, quantize_array


@layer("Requantize")
class Requantize(MoveLayer):
    """y = x, on the output's own grid

    Integer path (LiteRT QUANTIZE between integer types): x_q - z_x requantized by s_x / s_y; widths may differ. With
    `through_reals` (LiteRT DEQUANTIZE, then QUANTIZE) the reals between are float32, rounded half away from zero: a
    table with one entry a code.
    """

    output_grid = "own"

    through_reals: bool = False

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def move(self, x: Array, fill: Any) -> Array:
        return x

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy,)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        if not self.through_reals:
            return super().integer(codes, grids, out, arithmetic)
        grid = grids[0]
        if grid.bits > 16:
            raise UnsupportedError(f"{self.op}: a table of 2**{grid.bits} entries is too large; 16 bits at most")
        reals = dequantize_array(np.arange(grid.qmin, grid.qmax + 1), grid)
        table = quantize_array(reals, out, "half_away").astype(np.int64)
        return table[codes[0].astype(np.int64) - grid.qmin]

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x), operations=prod(x))
