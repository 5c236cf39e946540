"""Requantize: the same reals on another grid."""

from math import prod
from typing import Any

from refq.graph import LoopNest
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


@layer("Requantize")
class Requantize(MoveLayer):
    """y = x, on the output's own grid

    Integer path (LiteRT QUANTIZE between integer types): x_q - z_x requantized by s_x / s_y; widths may differ.
    """

    output_grid = "own"

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def move(self, x: Array, fill: Any) -> Array:
        return x

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy,)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x), operations=prod(x))
