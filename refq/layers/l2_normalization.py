"""L2Normalization: unit length along axes."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.graph import LoopNest
from refq.layers.base import Array, FixedGrid, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.requantize import double
from refq.numerics.square_root import inverse_square_root_multiplier

_GRID = FixedGrid(-1.0, 1.0)
_FRACTION_BITS = 7


@layer("L2Normalization")
class L2Normalization(Layer):
    """y = x / sqrt(max(sum of x**2 over `axis`, epsilon))

    Notes
    -----
    Integer path, 8-bit codes to steps of 1/128: d = x_q - z_x; 1 / sqrt(sum d**2) = m * 2**(-31 - n);
    int8: y = double(d, m, 7 - n); uint8: y = double(d << 7, m, -n) + 128. Epsilon plays no part. LiteRT
    L2_NORMALIZATION.
    """

    output_grid = _GRID

    axis: tuple[int, ...] = (-1,)
    epsilon: float = 1e-12

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def _length(self, x: Array) -> Array:
        return np.sqrt(np.maximum(np.square(x).sum(axis=self.axis, keepdims=True), x.dtype.type(self.epsilon)))

    def forward(self, x: Array) -> Array:
        return x / self._length(x)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        length = self._length(x)
        along = (dy * x).sum(axis=self.axis, keepdims=True) / length**2
        return ((dy - x * np.where(length**2 > self.epsilon, along, 0)) / length,)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        if grid.bits > 8 or out != _GRID.qparams(8, out.signed):
            raise UnsupportedError(
                f"integer L2 normalization of {grid.bits}-bit codes to scale {out.scale}, zero point {out.zero_point}: "
                "8-bit codes and an output of scale 1/128, zero point 0 (128 unsigned), are needed"
            )
        d = codes[0].astype(np.int64) - grid.zero_point
        squares = arithmetic.accumulator_for(grid.bits).fit((d * d).sum(axis=self.axis, keepdims=True))
        m, n = inverse_square_root_multiplier(squares)
        if out.signed:
            return double.apply(d, m, _FRACTION_BITS - n)
        return double.apply(d << _FRACTION_BITS, m, -n) + out.zero_point

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="normalize", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
