"""Log: the natural logarithm."""

import numpy as np

from refq.graph import QParams
from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics.elementary import log


@layer("Log")
class Log(TableLayer):
    """y = log(x)

    Integer path: a table (513 entries for int16, as LiteRT LOG); codes that stand for 0 and below give the lowest code.
    """

    is_interpolated = True

    def function(self, x: Array) -> Array:
        return log(x)

    def derivative(self, x: Array) -> Array:
        return 1 / x

    def entries(self, x: Array, out: QParams) -> Array:
        lowest = np.float32(out.qmin - int(out.zero_point)) * out.scale
        return np.where(x <= 0, lowest, log(np.where(x <= 0, x.dtype.type(1), x)))
