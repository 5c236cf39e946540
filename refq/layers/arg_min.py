"""ArgMin: where the smallest element lies."""

import numpy as np

from refq.layers.arg_max import ArgMax
from refq.layers.base import Array
from refq.layers.registry import layer


@layer("ArgMin")
class ArgMin(ArgMax):
    """y = the first place of min x along `axis`, an integer of type `output_type`"""

    def place(self, x: Array) -> Array:
        return np.argmin(x, axis=self.axis, keepdims=self.keepdims)
