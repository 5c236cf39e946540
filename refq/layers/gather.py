"""Gather: slices of a tensor, chosen by an index."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import RangeError, ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Gather")
class Gather(Layer):
    """y[b, i, j, k] = x[b, i, indices[b, j], k]; b runs over `batch_dims` axes, i over the others before `axis`

    indices : integers in [0, size of `axis`), the leading `batch_dims` sizes those of x. Each of b, i, j, k stands for
    any number of axes. Integer path: codes of x, rescaled to the output grid.
    """

    operands = ("x", "indices")
    output_grid = "same"

    axis: int = 0
    batch_dims: int = 0

    def _axes(self, x: Shape, indices: Shape) -> tuple[int, int]:
        """`axis` and `batch_dims`, counted from the front."""
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        axis = self.axis % len(x)
        batch = self.batch_dims + len(indices) if self.batch_dims < 0 else self.batch_dims
        if not 0 <= batch <= min(axis, len(indices)) or x[:batch] != indices[:batch]:
            raise ShapeError(f"batch_dims={self.batch_dims} does not fit shapes {x} and {indices} with axis={axis}")
        return axis, batch

    def infer_shape(self, x: Shape, indices: Shape) -> Shape:
        axis, batch = self._axes(x, indices)
        return (*x[:axis], *indices[batch:], *x[axis + 1 :])

    def _places(self, x: Array, indices: Array) -> tuple[Array, tuple[Array, ...], int, int]:
        """x as (b, axis, i, k), what picks (b, j, i, k) from it, and where the j lie: (first, how many)."""
        axis, batch = self._axes(x.shape, indices.shape)
        rows = indices.astype(np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < x.shape[axis]):
            raise RangeError(f"indices {int(rows.min())}..{int(rows.max())} leave axis {axis} of input shape {x.shape}")
        leading = np.ix_(*(np.arange(size) for size in rows.shape))[:batch]
        return np.moveaxis(x, axis, batch), (*leading, rows), axis, rows.ndim - batch

    def forward(self, x: Array, indices: Array) -> Array:
        moved, places, axis, count = self._places(x, indices)
        batch = indices.ndim - count
        y = moved[places]
        return np.moveaxis(y, range(batch, batch + count), range(axis, axis + count))

    def grad(self, dy: Array, x: Array, indices: Array) -> tuple[Array | None, ...]:
        dx = np.zeros_like(x)
        moved, places, axis, count = self._places(dx, indices)
        batch = indices.ndim - count
        np.add.at(moved, places, np.moveaxis(dy, range(axis, axis + count), range(batch, batch + count)))
        return dx, None

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        y = self.forward(codes[0], codes[1])
        return rescale(y, grids[0], out, arithmetic.requantizer(self.op, grids[0].bits))

    def nest(self, x: Shape, indices: Shape) -> LoopNest:
        size = prod(self.infer_shape(x, indices))
        return LoopNest(kind="move", inputs=(prod(x), prod(indices)), outputs=size)
