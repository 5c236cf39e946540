"""Scheme: a quantizer as a value of four orthogonal parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode
from refq.quantizers.granularity import Granularity, PerTensor
from refq.quantizers.ranges import MinMax, Range
from refq.quantizers.uniform import Uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Which levels exist, who shares a scale, how the range is chosen, how a real falls on the grid.

    >>> import numpy as np
    >>> round(float(Scheme(grid=Uniform(bits=8, symmetric=True, narrow=True)).fit(np.array([-1.27, 0.5])).scale), 4)
    0.01
    """

    grid: Uniform = Uniform()
    granularity: Granularity = PerTensor()
    range: Range = MinMax()
    rounding: RoundingMode = "half_even"

    def fit(self, x: NDArray[Any]) -> QParams:
        """The grid for data seen at once; CalibrationError if it is empty or not finite."""
        axis = self.granularity.channel_axis(x.ndim)
        return self.grid.qparams(*self.range.observe(None, x, axis), axis)
