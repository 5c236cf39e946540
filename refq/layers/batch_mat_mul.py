"""BatchMatMul: matrix products of two activations."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape, unbroadcast
from refq.layers.registry import layer
from refq.numerics import Accumulator, Arithmetic, exact_matmul, magnitude
from refq.numerics.register_sums import sum_rows


@layer("BatchMatMul")
class BatchMatMul(Layer):
    """y[..., m, n] = sum_k a[..., m, k] * b[..., k, n]; adj_a, adj_b swap the last two axes of an operand first.

    Leading axes broadcast. Integer path (LiteRT BATCH_MATMUL): (a_q - z_a) @ (b_q - z_b), requantized by
    s_a * s_b / s_y with the product of the scales formed in float32.
    """

    operands = ("a", "b")

    adj_a: bool = False
    adj_b: bool = False

    def _turned(self, a: Array, b: Array) -> tuple[Array, Array]:
        return (a.swapaxes(-1, -2) if self.adj_a else a), (b.swapaxes(-1, -2) if self.adj_b else b)

    def _sizes(self, a: Shape, b: Shape) -> tuple[Shape, int, int, int]:
        if len(a) < 2 or len(b) < 2:
            raise ShapeError(f"shapes {a} and {b} need at least two axes")
        m, k = (a[-1], a[-2]) if self.adj_a else (a[-2], a[-1])
        k_b, n = (b[-1], b[-2]) if self.adj_b else (b[-2], b[-1])
        try:
            lead = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            lead = None
        if k != k_b or lead is None:
            raise ShapeError(f"shapes {a} and {b} do not multiply with adj_a={self.adj_a}, adj_b={self.adj_b}")
        return lead, m, k, n

    def infer_shape(self, a: Shape, b: Shape) -> Shape:
        lead, m, _, n = self._sizes(a, b)
        return (*lead, m, n)

    def forward(self, a: Array, b: Array) -> Array:
        left, right = self._turned(a, b)
        return left @ right

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        left, right = self._turned(a, b)
        da, db = dy @ right.swapaxes(-1, -2), left.swapaxes(-1, -2) @ dy
        da, db = self._turned(da, db)
        return unbroadcast(da, a.shape), unbroadcast(db, b.shape)

    def accumulate(self, a_q: Array, b_q: Array, a_zero: Any, b_zero: Any) -> Array:
        """Exact accumulators (int64): the product of codes minus zero points."""
        return exact_matmul(*self._turned(a_q.astype(np.int64) - a_zero, b_q.astype(np.int64) - b_zero))

    def terms(self, a: Array, b: Array) -> Iterator[Array]:
        """The summands of the product one by one, each of the output's shape, in the order of k."""
        left, right = self._turned(a, b)
        return (left[..., k, None] * right[..., None, k, :] for k in range(left.shape[-1]))

    def _registers(self, a: Array, b: Array, accumulator: Accumulator) -> Array:
        """The products of every pair of matrices, each addition held to the register."""
        left, right = self._turned(a, b)
        lead, m, k, n = self._sizes(a.shape, b.shape)
        pairs = zip(
            np.broadcast_to(left, (*lead, m, k)).reshape(-1, m, k),
            np.broadcast_to(right, (*lead, k, n)).reshape(-1, k, n),
            strict=True,
        )
        found = [sum_rows(rows, columns.T, 0, accumulator) for rows, columns in pairs]
        if any(part is None for part in found):
            return accumulator.add_up(0, self.terms(a, b))
        return np.array(found).reshape(*lead, m, n)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        accumulator = arithmetic.accumulator_for(grids[0].bits)
        a, b = (q.astype(np.int64) - grid.zero_point for q, grid in zip(codes, grids, strict=True))
        bound = magnitude(a) * magnitude(b) * self._sizes(a.shape, b.shape)[2]
        if accumulator.follows_terms(bound):
            acc = self._registers(a, b, accumulator)
        else:
            acc = accumulator.fit(self.accumulate(codes[0], codes[1], grids[0].zero_point, grids[1].zero_point))
        requantizer = arithmetic.requantizer(self.op, grids[0].bits)
        return requantizer.rescale(acc, grids[0].scale, grids[1].scale, over=out.scale) + out.zero_point

    def nest(self, a: Shape, b: Shape) -> LoopNest:
        lead, m, k, n = self._sizes(a, b)
        return LoopNest(
            kind="matmul", G=prod(lead), N=m, K=n, C=k, inputs=(prod(a), prod(b)), outputs=prod(lead) * m * n
        )
