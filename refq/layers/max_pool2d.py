"""MaxPool2D: the largest value under a window."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import RangeError, ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.layers.windows import Padding, Pair, Window, crop_image, pad_image, resolve, tap
from refq.numerics import Arithmetic


class Pool2D(Layer):
    """The geometry that both pooling layers share; x (N, H, W, C), y (N, OY, OX, C)."""

    output_grid = "same"

    pool: Pair
    strides: Pair
    padding: Padding

    def window(self, x: Shape) -> Window:
        """The resolved window for an input shape."""
        if len(x) != 4:
            raise ShapeError(f"input shape {x} must be (N, H, W, C)")
        window = resolve(f"input shape {x}", x[1:3], self.pool, self.strides, (1, 1), self.padding)
        if any(max(pair) >= size for pair, size in zip(window.pads, self.pool, strict=True)):
            raise RangeError(
                f"padding={self.padding} reaches pool={self.pool}: a window would hold padding only; pad by less"
            )
        return window

    def infer_shape(self, x: Shape) -> Shape:
        return (x[0], *self.window(x).out, x[3])

    def nest(self, x: Shape) -> LoopNest:
        window = self.window(x)
        outputs = x[0] * prod(window.out) * x[3]
        return LoopNest(
            kind="pool",
            N=x[0],
            G=x[3],
            OY=window.out[0],
            OX=window.out[1],
            FY=self.pool[0],
            FX=self.pool[1],
            stride=self.strides,
            inputs=(prod(x),),
            outputs=outputs,
            operations=outputs * prod(self.pool),
        )


@layer("MaxPool2D")
class MaxPool2D(Pool2D):
    """y[n,oy,ox,c] = max_{fy,fx} x[n, oy*sy + fy - top, ox*sx + fx - left, c]; padded places never win."""

    pool: Pair = (2, 2)
    strides: Pair = (2, 2)
    padding: Padding = "valid"

    def _largest(self, x: Array, lowest: Any) -> Array:
        window = self.window(x.shape)
        padded = pad_image(x, window, lowest)
        y = tap(padded, window, 0, 0).copy()
        for fy, fx in np.ndindex(*window.kernel):
            np.maximum(y, tap(padded, window, fy, fx), out=y)
        return y

    def forward(self, x: Array) -> Array:
        return self._largest(x, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        window = self.window(x.shape)
        padded = pad_image(x, window, -np.inf)
        y, left, dpadded = self._largest(x, -np.inf), np.ones(dy.shape, bool), np.zeros_like(padded)
        for fy, fx in np.ndindex(*window.kernel):
            wins = left & (tap(padded, window, fy, fx) == y)  # the first maximum takes the whole gradient
            tap(dpadded, window, fy, fx)[...] += dy * wins
            left &= ~wins
        return (crop_image(dpadded, window),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        y = self._largest(codes[0], grid.qmin)
        return rescale(y, grid, out, arithmetic.requantizer(self.op, grid.bits))
