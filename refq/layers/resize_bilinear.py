"""ResizeBilinear: every output pixel is a weighted mean of four input pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, rescale
from refq.layers.registry import layer
from refq.layers.resize_nearest import Resize
from refq.layers.windows import Pair
from refq.numerics import Arithmetic

_BITS = 10


@layer("ResizeBilinear")
class ResizeBilinear(Resize):
    """y = (1-v)(1-u) x[i, j] + (1-v) u x[i, j+1] + v (1-u) x[i+1, j] + v u x[i+1, j+1]

    (i + v, j + u) is the source of the output pixel: o * step, or (o + 1/2) * step - 1/2 with half-pixel centers,
    limited to the input.

    Notes
    -----
    Integer path (LiteRT RESIZE_BILINEAR, reference): positions with 10 fractional bits, step = ((1 << 10) * input +
    output / 2) / output, the four products in Q20, the sum rounded half away from zero.
    """

    size: Pair | None = None
    scale: Pair | None = None
    half_pixel_centers: bool = True
    align_corners: bool = False

    def _real_places(self, before: int, after: int, dtype: Any) -> tuple[Array, Array, Array]:
        places = np.arange(after) * self.step(before, after)
        if self.half_pixel_centers:
            places = (np.arange(after) + 0.5) * self.step(before, after) - 0.5
        low = np.floor(places)
        first = np.clip(low, 0, before - 1).astype(np.int64)
        second = np.clip(low + 1, 0, before - 1).astype(np.int64)
        return first, second, (places - low).astype(dtype)

    def _mix(self, x: Array, rows: Any, columns: Any, one: Any) -> Array:
        (top, bottom, v), (left, right, u) = rows, columns
        v, u = v[:, None, None], u[:, None]
        above = x[:, top][:, :, left] * (one - u) + x[:, top][:, :, right] * u
        below = x[:, bottom][:, :, left] * (one - u) + x[:, bottom][:, :, right] * u
        return above * (one - v) + below * v

    def forward(self, x: Array) -> Array:
        _, height, width, _ = self.infer_shape(x.shape)
        rows = self._real_places(x.shape[1], height, x.dtype)
        return self._mix(x, rows, self._real_places(x.shape[2], width, x.dtype), x.dtype.type(1))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        _, height, width, _ = self.infer_shape(x.shape)
        top, bottom, v = self._real_places(x.shape[1], height, x.dtype)
        left, right, u = self._real_places(x.shape[2], width, x.dtype)
        dx = np.zeros_like(x)
        for rows, row_weight in ((top, 1 - v), (bottom, v)):
            for columns, column_weight in ((left, 1 - u), (right, u)):
                share = dy * row_weight[:, None, None] * column_weight[:, None]
                place: Any = (slice(None), rows[:, None], columns[None, :])
                np.add.at(dx, place, share)
        return (dx,)

    def _fixed_places(self, before: int, after: int) -> tuple[Array, Array, Array]:
        if self.align_corners and after > 1:
            step = ((1 << _BITS) * (before - 1) + (after - 1) // 2) // (after - 1)
        else:
            step = ((1 << _BITS) * before + after // 2) // after
        places = np.arange(after) * step
        if self.half_pixel_centers:
            places = places + step // 2 - (1 << (_BITS - 1))
        first = np.maximum(places >> _BITS, 0)  # the reference divides towards zero, and the lowest place is above -1
        second = np.minimum((places + (1 << _BITS) - 1) >> _BITS, before - 1)
        first = np.minimum(first, before - 1)
        return first, np.maximum(second, 0), places - (first << _BITS)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        x, grid = codes[0].astype(np.int64), grids[0]
        _, height, width, _ = self.infer_shape(x.shape)
        rows, columns = self._fixed_places(x.shape[1], height), self._fixed_places(x.shape[2], width)
        total = self._mix(x, rows, columns, 1 << _BITS)
        half = 1 << (2 * _BITS - 1)
        y = np.sign(total) * ((np.abs(total) + half) >> (2 * _BITS))
        return rescale(y, grid, out, arithmetic.requantizer(self.op, grid.bits))
