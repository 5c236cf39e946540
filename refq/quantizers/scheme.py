"""Scheme: a quantizer as a value of four orthogonal parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode
from refq.quantizers.apply import quantize_array
from refq.quantizers.binary import Binary
from refq.quantizers.granularity import Granularity, PerTensor
from refq.quantizers.ranges import MinMax, Range
from refq.quantizers.ternary import Ternary
from refq.quantizers.uniform import Uniform

Grid = Uniform | Binary | Ternary


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Which levels exist, who shares a scale, how the range is chosen, how a real falls on the grid.

    >>> import numpy as np
    >>> round(float(Scheme(grid=Uniform(bits=8, symmetric=True, narrow=True)).fit(np.array([-1.27, 0.5])).scale), 4)
    0.01
    """

    grid: Grid = Uniform()
    granularity: Granularity = PerTensor()
    range: Range = MinMax()
    rounding: RoundingMode = "half_even"

    def fit(self, x: NDArray[Any]) -> QParams:
        """The grid for data seen at once; CalibrationError if it is empty or not finite."""
        axis = self.granularity.channel_axis(x.ndim)
        if not isinstance(self.grid, Uniform):
            return self.grid.qparams(x, axis)  # levels from means, not from a range
        return self.grid.qparams(*self.range.observe(None, x, axis), axis)

    def stored_codes(self, x: NDArray[Any], grid: QParams) -> NDArray[Any] | None:
        """Codes that a grid and rounding alone would not give; None where they would."""
        return None if isinstance(self.grid, Uniform) else self.grid.codes(x, grid)

    def quantize(self, x: NDArray[Any]) -> tuple[QParams, NDArray[Any]]:
        """The grid for `x`, and the codes of `x` on it."""
        grid = self.fit(x)
        codes = self.stored_codes(x, grid)
        return grid, quantize_array(x, grid, self.rounding) if codes is None else codes
