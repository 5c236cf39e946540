"""Interval: a part of the axis between two learned limits, as [0, 1]."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.lookup import code_table

_SMALLEST = 1e-6
"""A distance that training has made smaller counts as this."""


@layer("Interval")
class Interval(Layer):
    """y = min(max((x - centre + distance) / (2 distance), 0), 1); centre and distance are numbers, distance > 0.

    Notes
    -----
    The transformer of QIL for activations (Jung et al. 2019, eq. 3, alpha = 1 / (2 distance), beta = 1/2 - centre / (2
    distance)); rounding to levels of [0, 1] is its discretizer (eq. 4). The integer path reads a table, one entry a
    code.
    """

    operands = ("x", "centre", "distance")
    parameters = frozenset({"centre", "distance"})

    def infer_shape(self, x: Shape, centre: Shape, distance: Shape) -> Shape:
        if centre != () or distance != ():
            raise ShapeError(f"centre of shape {centre} and distance of shape {distance} must be single numbers")
        return x

    def forward(self, x: Array, centre: Array, distance: Array) -> Array:
        distance = np.maximum(distance, x.dtype.type(_SMALLEST))
        return np.clip((x - centre + distance) / (2 * distance), 0, 1)

    def grad(self, dy: Array, x: Array, centre: Array, distance: Array) -> tuple[Array | None, ...]:
        """Gradients inside the interval: dx = dy / (2 d),  dc = -sum dx,  dd = -sum dx (x - c) / d."""
        distance = np.maximum(distance, x.dtype.type(_SMALLEST))
        dx = np.where(np.abs(x - centre) < distance, dy / (2 * distance), 0).astype(x.dtype)
        return dx, np.asarray(-dx.sum()), np.asarray(-(dx * (x - centre)).sum() / distance)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        limits = [np.asarray(value, np.float32) for value in codes[1:]]
        return code_table(lambda x: self.forward(x, *limits), grids[0], out)[codes[0].astype(np.int64) - grids[0].qmin]

    def nest(self, x: Shape, centre: Shape, distance: Shape) -> LoopNest:
        size = prod(x)
        return LoopNest(kind="lookup", inputs=(size,), weights=2, outputs=size, operations=size)
