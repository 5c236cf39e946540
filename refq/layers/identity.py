"""Identity: the same tensor under another name."""

from math import prod
from typing import Any

from refq.graph import LoopNest
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Identity")
class Identity(MoveLayer):
    """y = x

    Keeps the file's names where an operation does nothing at run time: dropout, a quantize-dequantize pair whose grid
    the tensor already has.
    """

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def move(self, x: Array, fill: Any) -> Array:
        return x

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy,)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="none", inputs=(prod(x),), outputs=prod(x))
