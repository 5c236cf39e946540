"""Dense: the fully connected layer."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph import Codebook, LoopNest
from refq.layers.base import Array, MacLayer, Shape, elements
from refq.layers.registry import layer
from refq.numerics import Accumulator
from refq.numerics.bit_planes import pack_bits
from refq.numerics.bit_products import packed_matmul
from refq.numerics.coded_products import coded_matmul
from refq.numerics.register_sums import sum_rows


@layer("Dense")
class Dense(MacLayer):
    """y[..., o] = sum_i x[..., i] * w[o, i] + b[o]

    x (..., I), w (O, I), b (O), y (..., O).
    """

    def infer_shape(self, x: Shape, w: Shape, b: Shape | None = None) -> Shape:
        if len(w) != 2 or x[-1] != w[1]:
            raise ShapeError(f"weight shape {w} needs input width {w[-1]}, got {x[-1]} of input shape {x}")
        return (*x[:-1], w[0])

    def product(self, x: Array, w: Array) -> Array:
        return x @ w.T

    def binary_product(self, x: Array, w: Array) -> NDArray[np.int32]:
        return packed_matmul(pack_bits(x), pack_bits(w)).reshape(*x.shape[:-1], len(w))

    def coded_product(self, x: Array, w: Codebook) -> NDArray[np.int64] | None:
        return coded_matmul(x.reshape(-1, x.shape[-1]), w).reshape(*x.shape[:-1], len(w.codes))

    def terms(self, x: Array, w: Array) -> Iterator[Array]:
        return (x[..., k, None] * w[:, k] for k in range(w.shape[1]))

    def registers(self, x: Array, w: Array, start: Array, accumulator: Accumulator) -> NDArray[np.int64] | None:
        return sum_rows(x, w, start, accumulator)

    def weight_grad(self, dy: Array, x: Array, w: Array) -> Array:
        return dy.reshape(-1, w.shape[0]).T @ x.reshape(-1, w.shape[1])

    def input_grad(self, dy: Array, x: Array, w: Array) -> Array:
        return dy @ w

    def nest(self, x: Shape, w: Shape, b: Shape | None = None) -> LoopNest:
        return LoopNest(
            kind="mac",
            N=prod(x[:-1]),
            K=w[0],
            C=w[1],
            inputs=(prod(x),),
            weights=prod(w),
            biases=elements(b),
            outputs=prod(x[:-1]) * w[0],
        )
