"""MovingAverage: extremes of batches, averaged with exponentially fading weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.ranges.min_max import MinMax
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingAverage:
    """The mean of minima and maxima over batches, recent ones weighing most.

        low  <- momentum * low  + (1 - momentum) * min x
        high <- momentum * high + (1 - momentum) * max x;   the first batch sets both

    Parameters
    ----------
    momentum : float in [0, 1)      smoothing; as close to 1 as thousands of steps allow

    Notes
    -----
    Jacob et al. 2018, section 3.1: exponential moving averages over training steps. Batches have an order, so there is
    no `merge`.
    """

    momentum: float = 0.99

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise RangeError(f"momentum={self.momentum} is outside [0, 1)")

    def observe(self, state: Limits | None, x: NDArray[Any]) -> Limits:
        """The averages after one more batch."""
        low, high = MinMax().observe(None, x)
        if state is None:
            return low, high
        keep = self.momentum
        return keep * state[0] + (1 - keep) * low, keep * state[1] + (1 - keep) * high

    def limits(self, state: Limits, grid: Uniform) -> Limits:
        """The averages."""
        return state
