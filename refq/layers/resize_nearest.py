"""ResizeNearest: every output pixel takes the nearest input pixel."""

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer
from refq.layers.windows import Pair
from refq.numerics import round_real


class Resize(MoveLayer):
    """Output size and positions that both resizing layers share; x (N, H, W, C)."""

    size: Pair | None
    scale: Pair | None
    half_pixel_centers: bool
    align_corners: bool

    def infer_shape(self, x: Shape) -> Shape:
        if len(x) != 4 or (self.size is None) == (self.scale is None):
            raise ShapeError(f"input shape {x} must be (N, H, W, C), with one of size={self.size}, scale={self.scale}")
        if self.size is not None:
            return (x[0], *self.size, x[3])
        scale = self.scale or (1, 1)
        return (x[0], x[1] * scale[0], x[2] * scale[1], x[3])

    def step(self, before: int, after: int) -> float:
        """Input pixels a output pixel."""
        return (before - 1) / (after - 1) if self.align_corners and after > 1 else before / after

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="move", inputs=(prod(x),), outputs=prod(self.infer_shape(x)))


@layer("ResizeNearest")
class ResizeNearest(Resize):
    """y[n, oy, ox, c] = x[n, source(oy), source(ox), c]

    source(o) = floor(o * step), or floor((o + 1/2) * step) with half-pixel centers; aligned corners round half away
    instead. step = input size / output size, (input - 1) / (output - 1) with aligned corners; limited to the input.
    """

    size: Pair | None = None
    scale: Pair | None = None
    half_pixel_centers: bool = False
    align_corners: bool = False

    def _sources(self, before: int, after: int) -> Array:
        """Source places, in float32 as LiteRT computes them: a place next to an integer falls on the same side."""
        centers = np.arange(after, dtype=np.float32) + np.float32(0.5 * self.half_pixel_centers)
        places = centers * np.float32(self.step(before, after))
        found = round_real(places, "half_away") if self.align_corners else np.floor(places)
        return np.minimum(found.astype(np.int64), before - 1)

    def _index(self, x: Shape) -> tuple[Array, Array]:
        _, height, width, _ = self.infer_shape(x)
        return self._sources(x[1], height)[:, None], self._sources(x[2], width)[None, :]

    def move(self, x: Array, fill: Any) -> Array:
        rows, columns = self._index(x.shape)
        return x[:, rows, columns]

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        dx = np.zeros_like(x)
        rows, columns = self._index(x.shape)
        place: Any = (slice(None), rows, columns)
        np.add.at(dx, place, dy)
        return (dx,)
