"""Maximum: the larger of two, elementwise, with broadcasting."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.layers.base import Array, rescale, unbroadcast
from refq.layers.binary import Binary
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("Maximum")
class Maximum(Binary):
    """y = max(a, b), shapes broadcast as in NumPy; in integers, both on the output grid first."""

    def forward(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        first = self.forward(a, b) == a
        return unbroadcast(dy * first, a.shape), unbroadcast(dy * ~first, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        requantizer = arithmetic.requantizer(self.op, out.bits)
        a, b = (rescale(q, grid, out, requantizer) for q, grid in zip(codes, grids, strict=True))
        return self.forward(a, b)
