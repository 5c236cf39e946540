"""Subtract: elementwise difference with broadcasting."""

from refq.layers.add import Add
from refq.layers.base import Array, unbroadcast
from refq.layers.registry import layer


@layer("Subtract")
class Subtract(Add):
    """y = a - b, shapes broadcast as in NumPy; in integers as Add, with the second operand's sign changed."""

    def join(self, a: Array, b: Array) -> Array:
        return a - b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy, a.shape), unbroadcast(-dy, b.shape)
