"""MatMulInteger: products of 8-bit codes as int32."""

from math import prod

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape, elements
from refq.layers.batch_mat_mul import BatchMatMul
from refq.layers.registry import layer
from refq.numerics import Accumulator, exact_matmul
from refq.numerics.linear import check_zero_point


def centred(codes: Array, zero_point: Array | None, lead: bool) -> Array:
    """Codes minus their zero point in int64; a vector of zero points belongs to rows (`lead`) or columns."""
    wide = codes.astype(np.int64)
    if zero_point is None:
        return wide
    check_zero_point(zero_point, codes.dtype, "an operand")
    zero = zero_point.astype(np.int64)
    if zero.size == 1:
        return wide - zero.reshape(())
    return wide - (zero[:, None] if lead and zero.ndim == 1 else zero)


@layer("MatMulInteger")
class MatMulInteger(ExplicitLayer):
    """y[..., m, n] = sum_k (a[..., m, k] - a_zero) * (b[..., k, n] - b_zero), int32

    a, b int8 or uint8; a_zero () or one a row, b_zero () or one a column. ONNX MatMulInteger 10; sums wrap at 32 bits.
    """

    operands = ("a", "b", "a_zero?", "b_zero?")

    def infer_shape(self, a: Shape, b: Shape, *zeros: Shape | None) -> Shape:
        return BatchMatMul().infer_shape(a, b)

    def forward(self, a: Array, b: Array, a_zero: Array | None = None, b_zero: Array | None = None) -> Array:
        exact = exact_matmul(centred(a, a_zero, lead=True), centred(b, b_zero, lead=False))
        return Accumulator(bits=32, overflow="wrap").fit(exact).astype(np.int32)

    def nest(self, a: Shape, b: Shape, *zeros: Shape | None) -> LoopNest:
        nest = BatchMatMul().nest(a, b)
        return LoopNest(
            kind="matmul",
            G=nest.G,
            N=nest.N,
            K=nest.K,
            C=nest.C,
            inputs=(prod(a), prod(b), *map(elements, zeros)),
            outputs=nest.outputs,
        )
