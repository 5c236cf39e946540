"""Binarize: the sign as one bit."""

import numpy as np

from refq.graph import QParams
from refq.layers.base import Array, FixedGrid, TableLayer
from refq.layers.registry import layer


class SignGrid(FixedGrid):
    """The codes -1 and +1, at scale 1, whatever the width of other activations."""

    def qparams(self, bits: int, signed: bool) -> QParams:
        """One signed bit."""
        return QParams(scale=1.0, bits=1)


@layer("Binarize")
class Binarize(TableLayer):
    """y = +1 where x >= 0, else -1

    Notes
    -----
    Hubara et al. 2016 (BNN), eq. (1). Not ONNX Sign, which keeps 0. Behind it, products with binary weights count bits.
    Its gradient is 0 wherever it has one; training puts a straight-through rule in its place.
    """

    output_grid = SignGrid(-1.0, 1.0)

    def function(self, x: Array) -> Array:
        return x.dtype.type(2) * (x >= 0) - x.dtype.type(1)

    def derivative(self, x: Array) -> Array:
        return np.zeros_like(x)
