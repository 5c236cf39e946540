"""SquaredDifference: elementwise squared difference with broadcasting."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.graph import QParams
from refq.layers.base import Array, unbroadcast
from refq.layers.binary import Binary
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("SquaredDifference")
class SquaredDifference(Binary):
    """y = (a - b)**2, shapes broadcast as in NumPy.

    Notes
    -----
    Integer path (LiteRT SQUARED_DIFFERENCE): each x_q - z is shifted left by 7 and requantized by s_x / t with t twice
    the larger scale; the square of the difference is requantized by t**2 / (2**14 * s_y). LiteRT has 8 bits only; wider
    codes follow the same rule, shifted by 6.
    """

    def forward(self, a: Array, b: Array) -> Array:
        return (a - b) ** 2

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        slope = 2 * dy * (a - b)
        return unbroadcast(slope, a.shape), unbroadcast(-slope, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        bits = grids[0].bits
        requantize, left = arithmetic.requantizer(self.op, bits), 7 if bits <= 8 else 6
        scales = [float(grid.scale) for grid in grids]
        common = 2 * max(scales)
        a, b = (
            requantize((q.astype(np.int64) - grid.zero_point) << left, scale / common)
            for q, grid, scale in zip(codes, grids, scales, strict=True)
        )
        return requantize((a - b) ** 2, common**2 / ((1 << 2 * left) * float(out.scale))) + out.zero_point
