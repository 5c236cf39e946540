"""Add: elementwise sum with broadcasting."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.graph import LoopNest, QParams
from refq.layers.base import Array, Layer, Shape, unbroadcast
from refq.layers.registry import layer
from refq.numerics import Arithmetic


def broadcast_shape(x: Shape, y: Shape) -> Shape:
    """The common shape of two operands; ShapeError names both."""
    try:
        return np.broadcast_shapes(x, y)
    except ValueError:
        raise ShapeError(f"shapes {x} and {y} do not broadcast together") from None


def align(codes: Sequence[Any], grids: Sequence[Any], out: QParams, op: str, arithmetic: Arithmetic) -> Any:
    """Bring two operands to one fine common scale, and say how to leave it.

    Returns
    -------
    a, b : int64 arrays at the scale t / 2**left, with t = 2 max(s_a, s_b), left = 20 (15 for 16-bit codes)
    leave : function from such an array to steps of the output grid, zero point not added

    Notes
    -----
    LiteRT ADD and SUB: the left shift keeps the bits that the rescaling of the smaller operand would lose. It fills an
    int32 with codes of 16 bits; wider ones are refused.
    """
    a_grid, b_grid = grids[0], grids[1]
    bits = max(a_grid.bits, b_grid.bits)
    if bits > 16:
        raise UnsupportedError(
            f"{op} of {bits}-bit codes leaves the int32 that arithmetic {arithmetic.name!r} adds in; use one that "
            "rescales operands one by one, such as 'dyadic' or 'ibert'"
        )
    requantize = arithmetic.requantizer(op, a_grid.bits)
    left = 20 if bits <= 8 else 15
    scales = [grid.scale.astype(np.float64) for grid in (a_grid, b_grid, out)]
    common = 2 * max(scales[0], scales[1])
    aligned = [
        requantize((q.astype(np.int64) - grid.zero_point) << left, scale / common)
        for q, grid, scale in zip(codes, (a_grid, b_grid), scales[:2], strict=True)
    ]
    return *aligned, lambda total: requantize(total, common / ((1 << left) * scales[2]))


@layer("Add")
class Add(Layer):
    """y = a + b, shapes broadcast as in NumPy."""

    operands = ("a", "b")

    def infer_shape(self, a: Shape, b: Shape) -> Shape:
        return broadcast_shape(a, b)

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy, a.shape), unbroadcast(dy, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        a, b, leave = align(codes, grids, out, self.op, arithmetic)
        return leave(a + b) + out.zero_point

    def nest(self, a: Shape, b: Shape) -> LoopNest:
        size = prod(broadcast_shape(a, b))
        return LoopNest(kind="elementwise", inputs=(prod(a), prod(b)), outputs=size, operations=size)
