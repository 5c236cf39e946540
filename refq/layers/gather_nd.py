"""GatherNd: slices of a tensor, each chosen by a row of indices."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import RangeError, ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("GatherNd")
class GatherNd(Layer):
    """y[i, k] = x[indices[i, 0], ..., indices[i, n-1], k]; i and k stand for any number of axes

    indices : integers, each in the range of its axis. Integer path: codes of x, rescaled to the output grid.
    """

    operands = ("x", "indices")
    output_grid = "same"

    def infer_shape(self, x: Shape, indices: Shape) -> Shape:
        if not indices or not 1 <= indices[-1] <= len(x):
            raise ShapeError(f"indices of shape {indices} need rows of 1 to {len(x)} numbers for input shape {x}")
        return (*indices[:-1], *x[indices[-1] :])

    def _places(self, x: Array, indices: Array) -> tuple[Array, ...]:
        self.infer_shape(x.shape, indices.shape)
        places = tuple(np.moveaxis(indices.astype(np.int64), -1, 0))
        for axis, rows in enumerate(places):
            if rows.size and not (rows.min() >= 0 and rows.max() < x.shape[axis]):
                raise RangeError(
                    f"indices {int(rows.min())}..{int(rows.max())} leave axis {axis} of input shape {x.shape}"
                )
        return places

    def forward(self, x: Array, indices: Array) -> Array:
        return x[self._places(x, indices)]

    def grad(self, dy: Array, x: Array, indices: Array) -> tuple[Array | None, ...]:
        dx = np.zeros_like(x)
        np.add.at(dx, self._places(x, indices), dy)
        return dx, None

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        y = self.forward(codes[0], codes[1])
        return rescale(y, grids[0], out, arithmetic.requantizer(self.op, grids[0].bits))

    def nest(self, x: Shape, indices: Shape) -> LoopNest:
        size = prod(self.infer_shape(x, indices))
        return LoopNest(kind="move", inputs=(prod(x), prod(indices)), outputs=size)
