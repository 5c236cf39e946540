"""QLinearMatMul: a product of 8-bit codes whose quantization parameters are operands."""

from typing import Any

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, ExplicitLayer, Shape, elements
from refq.layers.batch_mat_mul import BatchMatMul
from refq.layers.mat_mul_integer import MatMulInteger, centred
from refq.layers.registry import layer
from refq.numerics import Accumulator, exact_matmul
from refq.numerics.element_types import integer_limits
from refq.numerics.linear import check_scale


def requantize_linear(acc: Array, scale: Array, y_scale: Array, y_zero: Array) -> Array:
    """clip(round_half_even(acc * (scale / y_scale)) + y_zero), the factor in the type of the scales.

    Notes
    -----
    ONNX Runtime rounds, then adds the zero point; the ONNX reference evaluator adds it first, which moves ties when it
    is odd.
    """
    check_scale(np.asarray(scale))
    check_scale(np.asarray(y_scale))
    factor = (scale / y_scale).astype(np.float32)
    steps = np.rint(acc.astype(np.float32) * factor) + np.float32(y_zero.astype(np.int64).reshape(()))
    return np.clip(steps, *integer_limits(y_zero.dtype)).astype(y_zero.dtype)


@layer("QLinearMatMul")
class QLinearMatMul(ExplicitLayer):
    """y = clip(round_half_even(acc * (a_scale * b_scale / y_scale)) + y_zero), acc as MatMulInteger

    a, b int8 or uint8; a_scale, a_zero () or one a row; b_scale, b_zero () or one a column; y in the type of y_zero.
    ONNX QLinearMatMul 10, 21; the product of the scales keeps their type.
    """

    operands = ("a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero")

    def infer_shape(self, *shapes: Any) -> Shape:
        return BatchMatMul().infer_shape(shapes[0], shapes[3])

    def forward(self, *arrays: Any) -> Array:
        a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = arrays
        exact = exact_matmul(centred(a, a_zero, lead=True), centred(b, b_zero, lead=False))
        acc = Accumulator(bits=32, overflow="wrap").fit(exact)
        rows = a_scale.reshape(()) if a_scale.size == 1 else a_scale[..., :, None]
        return requantize_linear(acc, rows * b_scale, y_scale.reshape(()), y_zero)

    def nest(self, *shapes: Any) -> LoopNest:
        nest = MatMulInteger().nest(shapes[0], shapes[3])
        read = (*nest.inputs, *(elements(shapes[i]) for i in (1, 2, 4, 5, 6, 7)))
        return LoopNest(kind="matmul", G=nest.G, N=nest.N, K=nest.K, C=nest.C, inputs=read, outputs=nest.outputs)
