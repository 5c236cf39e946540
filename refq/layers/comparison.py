"""Comparison: what the layers share that compare two operands."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from refq.errors import UnsupportedError
from refq.layers.base import Array
from refq.layers.binary import Binary
from refq.numerics import Arithmetic

_LEFT = 8


class Comparison(Binary):
    """y = compare(a, b), bool, shapes broadcast as in NumPy.

    Notes
    -----
    Integer path (LiteRT EQUAL, LESS ...): codes are brought to steps of 2**-8: x_q - z, shifted left by 8, requantized
    by the scale alone; operands nearer than that compare as equal. Codes wider than `rescaled_bits` are compared as
    they are, whatever their grids.
    """

    output_grid = "none"
    rescaled_bits: ClassVar[int] = 8

    def compare(self, a: Array, b: Array) -> Array:
        """Elementwise, on reals or integers."""
        raise NotImplementedError

    def forward(self, a: Array, b: Array) -> Array:
        return self.compare(a, b)

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return tuple(np.zeros_like(x) if x.dtype.kind == "f" else None for x in (a, b))

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        if (grids[0] is None) != (grids[1] is None):
            raise UnsupportedError(
                f"{self.op} of codes and plain integers: one operand has a grid, the other none; put both on grids"
            )
        if grids[0] is None or grids[0].bits > self.rescaled_bits:
            return self.compare(codes[0], codes[1])
        requantizer = arithmetic.requantizer(self.op, grids[0].bits)
        a, b = (
            requantizer.rescale((q.astype(np.int64) - grid.zero_point) << _LEFT, grid.scale, over=1.0)
            for q, grid in zip(codes, grids, strict=True)
        )
        return self.compare(a, b)
