"""SpaceToDepth: blocks of pixels become channels."""

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer


def into_depth(x: Array, block: int) -> Array:
    """(N, H, W, C) to (N, H / block, W / block, block * block * C), a block's pixels row by row."""
    n, height, width, channels = x.shape
    cut = x.reshape(n, height // block, block, width // block, block, channels).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(cut).reshape(n, height // block, width // block, block * block * channels)


def out_of_depth(x: Array, block: int) -> Array:
    """The inverse of `into_depth`."""
    n, height, width, channels = x.shape
    cut = x.reshape(n, height, width, block, block, channels // block**2).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(cut).reshape(n, height * block, width * block, channels // block**2)


@layer("SpaceToDepth")
class SpaceToDepth(MoveLayer):
    """y[n, i, j, (p*block + q)*C + c] = x[n, i*block + p, j*block + q, c]"""

    block: int

    def infer_shape(self, x: Shape) -> Shape:
        if len(x) != 4 or self.block < 1 or x[1] % self.block or x[2] % self.block:
            raise ShapeError(f"input shape {x} must be (N, H, W, C) with H and W multiples of block={self.block}")
        return (x[0], x[1] // self.block, x[2] // self.block, x[3] * self.block**2)

    def move(self, x: Array, fill: Any) -> Array:
        self.infer_shape(x.shape)
        return into_depth(x, self.block)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (out_of_depth(dy, self.block),)
