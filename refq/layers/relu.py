"""Relu: the rectifier, with limit, leak and threshold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.kernels.cpu import has_instructions, route
from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Relu")
class Relu(TableLayer):
    """y = max_value where x >= max_value;  x where x >= threshold;  else negative_slope * (x - threshold)

    Notes
    -----
    Integer path, plain and leaky (threshold 0): LiteRT RELU and LEAKY_RELU. With d = x_q - z_x, d >= 0 is requantized
    by s_x / s_y and d < 0 by s_x * slope / s_y, quotients in float32; a limit is the code of max_value. A threshold
    other than 0 takes a table.
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.max_value is not None and not self.max_value >= 0:
            raise RangeError(f"max_value={self.max_value} must not be negative")

    @property
    def _is_plain(self) -> bool:
        return self.threshold == 0 and self.negative_slope == 0

    def function(self, x: Array) -> Array:
        if self._is_plain:
            y = np.maximum(x, 0)
            return y if self.max_value is None else np.minimum(y, x.dtype.type(self.max_value))
        below = self.negative_slope * (x - self.threshold) if self.negative_slope else np.zeros_like(x)
        y = np.where(x >= self.threshold, x, below)
        return (y if self.max_value is None else np.minimum(y, self.max_value)).astype(x.dtype, copy=False)

    def derivative(self, x: Array) -> Array:
        if self._is_plain:
            passes = x >= 0
            return (passes if self.max_value is None else passes & (x < self.max_value)).astype(x.dtype)
        slope = np.where(x >= self.threshold, 1.0, self.negative_slope).astype(x.dtype)
        return slope if self.max_value is None else np.where(x >= self.max_value, 0.0, slope)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        if not (self._is_plain and has_instructions() and route() != "numpy"):
            return super().grad(dy, x)
        from refq.kernels.normalization import pass_between

        high = x.dtype.type(np.inf if self.max_value is None else self.max_value)
        dx = np.empty(x.shape, x.dtype)
        pass_between(*map(np.ravel, (dy, x)), x.dtype.type(0), high, dx.reshape(-1))
        return (dx,)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        if self.threshold != 0:
            return super().integer(codes, grids, out, arithmetic)
        grid = grids[0]
        requantize = arithmetic.requantizer(self.op, grid.bits)
        steps = codes[0].astype(np.int64) - grid.zero_point
        y = requantize.rescale(np.maximum(steps, 0), grid.scale, over=out.scale)
        if self.negative_slope:
            slope = self.negative_slope  # multipliers are positive: a negative slope turns the codes instead
            below = np.minimum(steps, 0) if slope > 0 else np.maximum(-steps, 0)
            leaked = requantize.rescale(below, grid.scale, abs(slope), over=out.scale)
            y = np.where(steps >= 0, y, leaked)
        if self.max_value is not None:
            limit = int(np.float64(self.max_value) / np.float64(out.scale) + 0.5)
            y = np.minimum(y, limit)
        return y + out.zero_point
