"""Subtract: elementwise difference with broadcasting."""

from collections.abc import Sequence
from typing import Any

from refq.layers.add import Add, align
from refq.layers.base import Array, unbroadcast
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Subtract")
class Subtract(Add):
    """y = a - b, shapes broadcast as in NumPy; in integers as Add, with the second operand's sign changed."""

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy, a.shape), unbroadcast(-dy, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        a, b, leave = align(codes, grids, out, self.op, arithmetic)
        return leave(a - b) + out.zero_point
