"""LQNets: a learned basis of least quantization error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.bases import Bases, code_signs
from refq.quantizers.binary_code import alternate
from refq.quantizers.blocks import count_blocks
from refq.quantizers.clipping import least_error_scale
from refq.quantizers.means import block_rows, finite_data

_LARGEST = float(np.finfo(np.float32).max) * (1 - 2.0**-20)
"""Of a sum of levels, with room for rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LQNets:
    """Levels v . e over all sign vectors e, with the basis v of least quantization error.

        signed:    Q(x) = nearest of v . e,  e in {-1, +1}**bits
        unsigned:  Q(x) = nearest of v . e,  e in {0, 1}**bits
        v, codes = argmin sum_n (x_n - v . e_n)**2,  by turns: codes for v, then v = (E E^T)^-1 E x

    Parameters
    ----------
    bits : int in 1..8
    signed : bool           False for activations that are never negative
    iterations : int >= 0   fewer when nothing changes any more

    Notes
    -----
    Zhang et al. 2018, section 3.2 and algorithm 1 (QEM). The start is the uniform basis 1, 2, 4, ... at the scale of
    least squared error, so that the result is never worse than that uniform grid. An unsigned basis is
    v . e = sum(v) / 2 + (v / 2) . (2 e - 1). Hardware makes one xnor-popcount product a basis.
    """

    multiplier: ClassVar[str] = "bit_planes"
    bits: int = 3
    signed: bool = True
    iterations: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} of a learned basis is outside 1..8")
        if self.iterations < 0:
            raise RangeError(f"iterations={self.iterations} must not be negative")

    def fit(self, x: Any, block: tuple[int, ...]) -> Bases:
        """The basis of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        codes = np.arange(1 << self.bits)
        units = code_signs(codes, self.bits).astype(np.float64)
        if not self.signed:
            units = (units + 1) / 2
        uniform = (2.0 * codes - codes[-1] if self.signed else codes) / float(codes[-1])
        rows: list[NDArray[np.float64]] = []
        for row in block_rows(data, block):
            start = least_error_scale(row, uniform) * 2.0 ** np.arange(self.bits) / codes[-1]
            rows.append(alternate(row, units, start, self.iterations))
        table = np.array(rows)
        total = np.abs(table).sum(axis=-1, keepdims=True)
        table *= np.minimum(1.0, _LARGEST / np.maximum(total, 1.0))  # a fit of huge data may leave float32
        table = table.reshape(*count_blocks(data.shape, block), self.bits)
        if self.signed:
            return Bases(alphas=np.sort(np.abs(table), axis=-1), block=block)
        return Bases(alphas=table / 2, offset=table.sum(axis=-1) / 2, block=block)
