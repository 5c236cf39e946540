"""Percentile: the interval without the outermost values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.ranges.distribution import Distribution, merge, observe
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """Quantiles instead of extremes.

        symmetric:   high = the percent-quantile of |x|,  low = -high
        asymmetric:  low, high = quantiles that leave (100 - percent) / 2 percent out on either side

    Parameters
    ----------
    percent : float in (0, 100]
    rank : int >= 1 or None     instead: the rank-th smallest and largest value (of |x| on a symmetric grid); 1 is
        `MinMax`, and ranks beyond the data give its middle

    Notes
    -----
    Gholami et al. 2021, section III-C: "the i-th largest/smallest value"; percentile after McKinstry et al. 2018. The
    quantile is the smallest value that at least this fraction of the data does not exceed, as ONNX Runtime's
    percentile calibrator reads it off a histogram.
    """

    percent: float = 99.99
    rank: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise RangeError(f"percent={self.percent} is outside (0, 100]")
        if self.rank is not None and self.rank < 1:
            raise RangeError(f"rank={self.rank} must be at least 1")

    def observe(self, state: Distribution | None, x: NDArray[Any]) -> Distribution:
        """The data so far."""
        return observe(state, x)

    def merge(self, a: Distribution, b: Distribution) -> Distribution:
        """The data of both."""
        return merge(a, b)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """Quantiles of every row."""
        found = [self._row(*state.points(row), grid.symmetric) for row in range(len(state.low))]
        low, high = np.array(found).T
        return low, high

    def _row(self, values: NDArray[np.float64], weights: NDArray[np.float64], symmetric: bool) -> tuple[float, float]:
        if symmetric:
            order = np.argsort(np.abs(values), kind="stable")
            values, weights = np.abs(values)[order], weights[order]
        total = float(weights.sum())
        cut = (100.0 - self.percent) / (100.0 if symmetric else 200.0)
        if self.rank is None:
            high = quantile(values, weights, 1.0 - cut)
            return (-high, high) if symmetric else (min(quantile(values, weights, cut), high), high)
        place = min(self.rank, (total + 1) // 2)
        cdf = np.cumsum(weights)
        high = float(values[np.searchsorted(cdf, total - place + 1)])
        return (-high, high) if symmetric else (float(values[np.searchsorted(cdf, place)]), high)


def quantile(values: NDArray[Any], weights: NDArray[Any], fraction: float) -> float:
    """The first value at which the running share of the weights reaches `fraction`; of bins, pass their left edges."""
    share = np.cumsum(weights / weights.sum())
    return float(values[min(int(np.searchsorted(share, fraction)), len(values) - 1)])
