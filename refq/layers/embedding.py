"""Embedding: rows of a table."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, rescale
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Embedding")
class Embedding(Layer):
    """y[..., d] = w[indices[...], d]

    indices (N, T) integers in [0, V), w (V, D), y (N, T, D). Integer path: codes of w, rescaled to the output grid.
    """

    operands = ("indices", "w")
    parameters = frozenset({"w"})

    def infer_shape(self, indices: Shape, w: Shape) -> Shape:
        return (*indices, w[1])

    def _rows(self, indices: Array, w: Array) -> Array:
        rows = indices.astype(np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < len(w)):
            raise RangeError(f"index {int(rows.min())}..{int(rows.max())} is outside a table of {len(w)} rows")
        return w[rows]

    def forward(self, indices: Array, w: Array) -> Array:
        return self._rows(indices, w)

    def grad(self, dy: Array, indices: Array, w: Array) -> tuple[Array | None, ...]:
        dw = np.zeros_like(w)
        np.add.at(dw, indices, dy)
        return None, dw

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        rows = self._rows(codes[0], codes[1])
        return rescale(rows, grids[1], out, arithmetic.requantizer(self.op, grids[1].bits))

    def nest(self, indices: Shape, w: Shape) -> LoopNest:
        size = prod(indices)
        return LoopNest(kind="move", inputs=(size,), weights=prod(w), outputs=size * w[1])
