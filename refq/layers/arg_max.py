"""ArgMax: where the largest element lies."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from refq.errors import ShapeError
from refq.graph import LoopNest
from refq.layers.base import Array, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic


@layer("ArgMax")
class ArgMax(Layer):
    """y = the first place of max x along `axis`, an integer of type `output_type`

    Integer path: codes keep the order of reals, so the place is that of the largest code.
    """

    output_grid = "none"

    axis: int = -1
    keepdims: bool = False
    output_type: Literal["int32", "int64"] = "int64"

    def infer_shape(self, x: Shape) -> Shape:
        if not -len(x) <= self.axis < len(x):
            raise ShapeError(f"axis={self.axis} does not exist in input shape {x}")
        axis = self.axis % len(x)
        return (*x[:axis], *((1,) if self.keepdims else ()), *x[axis + 1 :])

    def place(self, x: Array) -> Array:
        """Places of the extreme, NumPy's integers."""
        return np.argmax(x, axis=self.axis, keepdims=self.keepdims)

    def forward(self, x: Array) -> Array:
        return np.asarray(self.place(x)).astype(self.output_type)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (np.zeros_like(x),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        return self.forward(codes[0])

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="pool", inputs=(prod(x),), outputs=prod(self.infer_shape(x)), operations=prod(x))
