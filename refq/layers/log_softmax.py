"""LogSoftmax: the logarithm of softmax."""

from math import prod

import numpy as np

from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer


@layer("LogSoftmax")
class LogSoftmax(Layer):
    """y = x - max x - log sum exp(x - max x) along `axis`; float and fake paths only."""

    has_integer = False

    axis: int = -1

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        d = x - x.max(axis=self.axis, keepdims=True)
        return d - np.log(np.exp(d).sum(axis=self.axis, keepdims=True))

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (dy - np.exp(self.forward(x)) * dy.sum(axis=self.axis, keepdims=True),)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="softmax", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
