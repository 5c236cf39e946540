"""LogicalNot: the opposite of a condition, elementwise."""

from math import prod
from typing import Any

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape
from refq.layers.registry import layer


@layer("LogicalNot")
class LogicalNot(ExplicitLayer):
    """y = not x; x and y are bool"""

    output_grid = "none"

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return ~x

    def grad(self, dy: Array, x: Array) -> tuple[Any, ...]:
        return (None,)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="elementwise", inputs=(prod(x),), outputs=prod(x), operations=prod(x))
