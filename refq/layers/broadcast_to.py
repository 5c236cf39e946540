"""BroadcastTo: a tensor stretched along axes of size 1."""

from typing import Any

import numpy as np

from refq.errors import ShapeError
from refq.layers.base import Array, MoveLayer, Shape, unbroadcast
from refq.layers.binary import broadcast_shape
from refq.layers.registry import layer


@layer("BroadcastTo")
class BroadcastTo(MoveLayer):
    """y = x repeated to `shape`, as NumPy broadcasts; 0 in `shape` keeps the input's size of that axis"""

    shape: tuple[int, ...]

    def infer_shape(self, x: Shape) -> Shape:
        missing = len(self.shape) - len(x)
        target = tuple(x[i - missing] if n == 0 and i >= missing else n for i, n in enumerate(self.shape))
        if missing < 0 or min(target, default=1) < 1 or broadcast_shape(x, target) != target:
            raise ShapeError(f"input shape {x} does not broadcast to {self.shape}")
        return target

    def move(self, x: Array, fill: Any) -> Array:
        return np.broadcast_to(x, self.infer_shape(x.shape)).copy()

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        return (unbroadcast(dy, x.shape),)
