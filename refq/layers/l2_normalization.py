"""L2Normalization: unit length along axes."""

from math import prod

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer


@layer("L2Normalization")
class L2Normalization(Layer):
    """y = x / sqrt(max(sum of x**2 over `axis`, epsilon)); float and fake paths only."""

    has_integer = False

    axis: tuple[int, ...] = (-1,)
    epsilon: float = 1e-12

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def _length(self, x: Array) -> Array:
        return np.sqrt(np.maximum(np.square(x).sum(axis=self.axis, keepdims=True), x.dtype.type(self.epsilon)))

    def forward(self, x: Array) -> Array:
        return x / self._length(x)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        length = self._length(x)
        along = (dy * x).sum(axis=self.axis, keepdims=True) / length**2
        return ((dy - x * np.where(length**2 > self.epsilon, along, 0)) / length,)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="normalize", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
