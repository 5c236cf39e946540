"""HardSigmoid: a line between 0 and 1."""

import numpy as np

from refq.layers.base import Array, FixedGrid, TableLayer
from refq.layers.registry import layer


@layer("HardSigmoid")
class HardSigmoid(TableLayer):
    """y = min(max(slope * x + offset, 0), 1); Keras 3 has slope 1/6, Keras 2 slope 0.2."""

    output_grid = FixedGrid(0.0, 1.0)

    slope: float = 1 / 6
    offset: float = 0.5

    def function(self, x: Array) -> Array:
        return np.clip(x * x.dtype.type(self.slope) + x.dtype.type(self.offset), 0, 1)

    def derivative(self, x: Array) -> Array:
        line = x * self.slope + self.offset
        return np.where((line > 0) & (line < 1), x.dtype.type(self.slope), x.dtype.type(0))
