"""Clamp: values held between two limits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic, round_real


@layer("Clamp")
class Clamp(TableLayer):
    """y = min(max(x, low), high)

    Integer path: R[s_x / s_y](x_q - z_x) between half_away(low / s_y) and half_away(high / s_y), plus z_y; quotients in
    float32. LiteRT RELU6, RELU_N1_TO_1, RELU_0_TO_1.
    """

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise RangeError(f"low={self.low} is above high={self.high}")

    def function(self, x: Array) -> Array:
        return np.clip(x, x.dtype.type(self.low), x.dtype.type(self.high))

    def derivative(self, x: Array) -> Array:
        return ((x >= self.low) & (x <= self.high)).astype(x.dtype)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        requantizer = arithmetic.requantizer(self.op, grid.bits)
        steps = requantizer.rescale(codes[0].astype(np.int64) - grid.zero_point, grid.scale, over=out.scale)
        span = out.qmax - out.qmin
        limits = round_real(np.array([self.low, self.high], np.float32) / out.scale, "half_away")
        low, high = np.clip(limits, -span, span).astype(np.int64)
        return np.clip(steps, low, high) + out.zero_point
