"""BatchToSpace: images of the batch become blocks of pixels."""

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer
from refq.layers.space_to_batch import Pairs, inside, into_batch, margins, out_of_batch


@layer("BatchToSpace")
class BatchToSpace(MoveLayer):
    """whole[n, i*B1 + p, j*B2 + q, c] = x[(p*B2 + q)*N + n, i, j, c], (B1, B2) = `block`; y is `whole` without `crops`

    crops : (before, after) for each axis of `block`.
    """

    block: tuple[int, ...]
    crops: Pairs

    def infer_shape(self, x: Shape) -> Shape:
        spatial = len(self.block)
        if len(x) <= spatial or len(self.crops) != spatial or min(self.block, default=0) < 1 or x[0] % prod(self.block):
            raise ShapeError(f"input shape {x} does not fit block={self.block} and crops={self.crops}")
        whole = (x[0] // prod(self.block), *(n * b for n, b in zip(x[1:], self.block, strict=False)), *x[spatial + 1 :])
        left = tuple(size - sum(pair) for size, pair in zip(whole, margins(whole, self.crops), strict=True))
        if min(map(min, self.crops)) < 0 or min(left) < 1:
            raise ShapeError(f"crops {self.crops} leave nothing of shape {whole}, or are negative")
        return left

    def move(self, x: Array, fill: Any) -> Array:
        self.infer_shape(x.shape)
        whole = out_of_batch(x, self.block)
        return np.ascontiguousarray(whole[inside(whole.shape, self.crops)])

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (into_batch(np.pad(dy, margins(dy.shape, self.crops)), self.block),)
