"""Rsqrt: the reciprocal of the square root."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.graph import QParams
from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.layers.sqrt import check_not_negative
from refq.numerics import Arithmetic
from refq.numerics.requantize import double
from refq.numerics.square_root import inverse_square_root_multiplier

_GUARD_BITS = 20


@layer("Rsqrt")
class Rsqrt(TableLayer):
    """y = 1 / sqrt(x)

    Notes
    -----
    Integer path, 8 bits: d = x_q - z_x; 1 / sqrt(d) = m * 2**(-31 - n); r = double(1, m, 20 - n);
    y = R[1 / (sqrt(s_x) s_y) * 2**-20](r) + z_y, root and product in float32; d = 0 gives the highest code. int16: 513
    entries, where reals <= 0 hold the highest code. As LiteRT RSQRT; codes below the zero point are an error.
    """

    is_interpolated = True

    def function(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 / np.sqrt(x)

    def derivative(self, x: Array) -> Array:
        return -0.5 / (x * np.sqrt(x))

    def entries(self, x: Array, out: QParams) -> Array:
        highest = np.float32(out.qmax - int(out.zero_point)) * out.scale
        return np.where(x <= 0, highest, 1 / np.sqrt(np.where(x <= 0, x.dtype.type(1), x)))

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        grid = grids[0]
        check_not_negative(self.op, codes[0], grid.zero_point)
        if grid.bits > 8:
            return super().integer(codes, grids, out, arithmetic)
        d = codes[0].astype(np.int64) - grid.zero_point
        m, n = inverse_square_root_multiplier(np.maximum(d, 1))
        r = double.apply(np.ones_like(d), m, _GUARD_BITS - n)
        factor = 1 / (np.float64(np.sqrt(grid.scale) * out.scale) * (1 << _GUARD_BITS))
        y = arithmetic.requantizer(self.op, grid.bits)(r, factor) + out.zero_point
        return np.where(d == 0, out.qmax, y)
