"""Divide: elementwise quotient with broadcasting."""

from refq.layers.add import Add
from refq.layers.base import Array, unbroadcast
from refq.layers.registry import layer


@layer("Divide")
class Divide(Add):
    """y = a / b, shapes broadcast as in NumPy; float and fake paths only."""

    has_integer = False

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy / b, a.shape), unbroadcast(-dy * a / (b * b), b.shape)
