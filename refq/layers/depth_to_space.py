"""DepthToSpace: channels become blocks of pixels."""

from typing import Any

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape
from refq.layers.registry import layer
from refq.layers.space_to_depth import into_depth, out_of_depth


@layer("DepthToSpace")
class DepthToSpace(MoveLayer):
    """y[n, i*block + p, j*block + q, c] = x[n, i, j, (p*block + q)*C + c], C the channels of y"""

    block: int

    def infer_shape(self, x: Shape) -> Shape:
        if len(x) != 4 or self.block < 1 or x[3] % self.block**2:
            raise ShapeError(f"input shape {x} must be (N, H, W, C) with C a multiple of block={self.block} squared")
        return (x[0], x[1] * self.block, x[2] * self.block, x[3] // self.block**2)

    def move(self, x: Array, fill: Any) -> Array:
        self.infer_shape(x.shape)
        return out_of_depth(x, self.block)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (into_depth(dy, self.block),)
