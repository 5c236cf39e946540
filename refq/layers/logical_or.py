"""LogicalOr: disjunction of two conditions, elementwise."""

from typing import Any

from refq.layers.base import Array, ExplicitLayer
from refq.layers.binary import Binary
from refq.layers.registry import layer


@layer("LogicalOr")
class LogicalOr(ExplicitLayer, Binary):
    """y = a or b; a, b and y are bool, shapes broadcast as in NumPy"""

    output_grid = "none"

    def forward(self, a: Array, b: Array) -> Array:
        return a | b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Any, ...]:
        return None, None
