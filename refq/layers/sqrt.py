"""Sqrt: the square root."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph import QParams
from refq.layers.base import Array, TableLayer
from refq.layers.registry import layer
from refq.numerics import Arithmetic
from refq.numerics.lookup import reals_of_codes


def check_not_negative(op: str, codes: Array, zero_point: Any) -> None:
    """RangeError where a code stands for a negative real, on which LiteRT stops as well."""
    if codes.size and codes.min() < zero_point:
        raise RangeError(f"{op}: code {codes.min()} stands for a negative real (zero point {zero_point})")


@layer("Sqrt")
class Sqrt(TableLayer):
    """y = sqrt(x)

    Notes
    -----
    Integer path: an entry a code, rounded down: y_q = floor(sqrt(f32(s_x (x_q - z_x))) / s_y) + z_y in float32, as
    LiteRT SQRT on int8 and int16. Codes below the zero point are an error.
    """

    def function(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.sqrt(x)

    def derivative(self, x: Array) -> Array:
        return 0.5 / np.sqrt(x)

    def table(self, grid: QParams, out: QParams) -> NDArray[np.int64]:
        steps = np.floor(np.sqrt(np.maximum(reals_of_codes(grid), 0)) / out.scale)
        return np.clip(steps + out.zero_point, out.qmin, out.qmax).astype(np.int64)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        check_not_negative(self.op, codes[0], grids[0].zero_point)
        return super().integer(codes, grids, out, arithmetic)
