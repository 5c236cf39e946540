"""TopK: the largest elements of every row, and where they lie."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("TopK")
class TopK(Layer):
    """values[..., i] = the i-th largest of x along the last axis; places[..., i] = its index, lower ones first

    Places are int32. The gradient dy is a tuple, one array an output; that of the places is not used. Integer path:
    codes keep the order of reals.
    """

    output_grid = "same"

    k: int

    def infer_shape(self, x: Shape) -> Any:
        if not x or not 1 <= self.k <= x[-1]:
            raise ShapeError(f"k={self.k} is outside 1..{x[-1] if x else 0}, the last axis of input shape {x}")
        return (*x[:-1], self.k), (*x[:-1], self.k)

    def _places(self, x: Array) -> Array:
        self.infer_shape(x.shape)
        turned = np.flip(x, -1)  # a stable sort upwards, read backwards, puts lower indices first among equals
        order = np.flip(np.argsort(turned, axis=-1, kind="stable"), -1)[..., : self.k]
        return x.shape[-1] - 1 - order

    def forward(self, x: Array) -> tuple[Array, Array]:
        places = self._places(x)
        return np.take_along_axis(x, places, axis=-1), places.astype(np.int32)

    def grad(self, dy: Any, x: Array) -> tuple[Array | None, ...]:
        dx = np.zeros_like(x)
        np.put_along_axis(dx, self._places(x), dy[0], axis=-1)
        return (dx,)

    def integer(
        self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic
    ) -> tuple[Array, ...]:
        values, places = self.forward(codes[0])
        return rescale(values, grids[0], out[0], arithmetic.requantizer(self.op, grids[0].bits)), places

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="pool", inputs=(prod(x),), outputs=2 * prod(x[:-1]) * self.k, operations=prod(x) * self.k)
