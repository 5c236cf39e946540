"""Binary: what elementwise layers of two operands share."""

from math import prod

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Layer, Shape


def broadcast_shape(x: Shape, y: Shape) -> Shape:
    """The common shape of two operands; ShapeError names both."""
    try:
        return np.broadcast_shapes(x, y)
    except ValueError:
        raise ShapeError(f"shapes {x} and {y} do not broadcast together") from None


class Binary(Layer):
    """Shape rule and loop nest of y = f(a, b), shapes broadcast as in NumPy."""

    operands = ("a", "b")

    def infer_shape(self, a: Shape, b: Shape) -> Shape:
        return broadcast_shape(a, b)

    def nest(self, a: Shape, b: Shape) -> LoopNest:
        size = prod(broadcast_shape(a, b))
        return LoopNest(kind="elementwise", inputs=(prod(a), prod(b)), outputs=size, operations=size)
