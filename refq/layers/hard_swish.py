"""HardSwish: x gated by a line."""

import numpy as np

from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer


@layer("HardSwish")
class HardSwish(TableLayer):
    """y = x * min(max(x + 3, 0), 6) / 6"""

    def function(self, x: Array) -> Array:
        return x * np.clip(x + 3, 0, 6) / 6

    def derivative(self, x: Array) -> Array:
        inside = (2 * x + 3) / 6
        return np.where(x <= -3, 0, np.where(x >= 3, 1, inside)).astype(x.dtype)
