"""AveragePool2D: the mean under a window."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array
from refq.layers.max_pool2d import Pool2D
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair, Window, crop_image, pad_image, tap
from refq.numerics import Arithmetic


def divide_half_away(total: Array, count: Any) -> Array:
    """Integer quotient, rounded half away from zero: (|total| + count // 2) // count with the sign of total."""
    return np.sign(total) * ((np.abs(total) + count // 2) // count)


@layer("AveragePool2D")
class AveragePool2D(Pool2D):
    """y[n,oy,ox,c] = sum of the x under the window / how many of them lie inside the image

    Notes
    -----
    Integer path: the mean of codes, rounded half away from zero (LiteRT AVERAGE_POOL_2D), where input and output share
    a grid, as they do after `quantize`. Otherwise sum(x_q - z_x) is requantized by s_x / (s_y * count).
    """

    pool: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: Padding = "valid"

    def _sum(self, x: Array, window: Window) -> Array:
        padded = pad_image(x, window)
        total = np.zeros((len(x), *window.out, x.shape[3]), x.dtype)
        for fy, fx in np.ndindex(*window.kernel):
            total += tap(padded, window, fy, fx)
        return total

    def _count(self, x: Array, window: Window) -> Array:
        return self._sum(np.ones((1, *x.shape[1:3], 1), x.dtype), window)

    def forward(self, x: Array) -> Array:
        window = self.window(x.shape)
        return self._sum(x, window) / self._count(x, window)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        window = self.window(x.shape)
        share = dy / self._count(x, window)
        dpadded = np.zeros_like(pad_image(x, window))
        for fy, fx in np.ndindex(*window.kernel):
            tap(dpadded, window, fy, fx)[...] += share
        return (crop_image(dpadded, window),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid, x = grids[0], codes[0].astype(np.int64)
        window = self.window(x.shape)
        total, count = self._sum(x - grid.zero_point, window), self._count(x, window)
        if grid == out:
            return divide_half_away(total + count * grid.zero_point, count)
        real = grid.scale.astype(np.float64) / out.scale.astype(np.float64) / count
        return arithmetic.requantizer(self.op, grid.bits)(total, real) + out.zero_point
