"""LayerNormalization: zero mean and unit variance over the last axes of each sample."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.ibert_rules import layer_normalization


@layer("LayerNormalization")
class LayerNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(var + epsilon) + beta, mean and var over `axis`; Ba et al. 2016.

    gamma, beta have the sizes of the normalized axes and stay real: the integer path makes one multiplier and one
    offset a channel of them. Integer path: `refq.numerics.ibert_rules.layer_normalization`, on every profile, since
    TFLite has no such kernel and decomposes the layer.
    """

    operands = ("x", "gamma", "beta")
    parameters = frozenset({"gamma", "beta"})

    axis: tuple[int, ...] = (-1,)
    epsilon: float = 1e-3

    def _axes(self, ndim: int) -> tuple[int, ...]:
        return tuple(axis % ndim for axis in self.axis)

    def _along(self, vector: Array, x: Array) -> Array:
        axes = self._axes(x.ndim)
        return vector.reshape([size if i in axes else 1 for i, size in enumerate(x.shape)])

    def infer_shape(self, x: Shape, gamma: Shape, beta: Shape) -> Shape:
        want = tuple(x[axis] for axis in sorted(self._axes(len(x))))
        if gamma != want or beta != want:
            raise ShapeError(
                f"input shape {x} over axes {self.axis} needs gamma and beta of {want}, got {gamma}, {beta}"
            )
        return x

    def _normal(self, x: Array) -> tuple[Array, Array]:
        axes = self._axes(x.ndim)
        centred = x - x.mean(axis=axes, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + x.dtype.type(self.epsilon))
        return centred / spread, spread

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        return self._normal(x)[0] * self._along(gamma, x) + self._along(beta, x)

    def grad(self, dy: Array, x: Array, gamma: Array, beta: Array) -> tuple[Any, ...]:
        axes = self._axes(x.ndim)
        others = tuple(i for i in range(x.ndim) if i not in axes)
        normal, spread = self._normal(x)
        inner = dy * self._along(gamma, x)
        mean = inner.mean(axis=axes, keepdims=True)
        dx = (inner - mean - normal * (inner * normal).mean(axis=axes, keepdims=True)) / spread
        return dx, (dy * normal).sum(axis=others), dy.sum(axis=others)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        return layer_normalization(self, codes, grids, out, arithmetic)

    def nest(self, x: Shape, gamma: Shape, beta: Shape) -> LoopNest:
        size = prod(x)
        weights = prod(gamma) + prod(beta)
        return LoopNest(kind="normalize", inputs=(size,), weights=weights, outputs=size, operations=8 * size)
