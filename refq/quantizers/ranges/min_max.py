"""MinMax: the whole interval of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.quantizers.ranges.protocol import Limits, finite_rows
from refq.quantizers.uniform import Uniform


@dataclass(frozen=True, slots=True)
class MinMax:
    """The smallest and the largest value seen.

        low = min x,   high = max x

    Notes
    -----
    Gholami et al. 2021, section III-C: alpha = r_min, beta = r_max. Nothing is clipped; one outlier widens every step.
    """

    def observe(self, state: Limits | None, x: NDArray[Any]) -> Limits:
        """Minimum and maximum of `x` and of what was seen."""
        rows = finite_rows(x)
        seen = (rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64))
        return seen if state is None else self.merge(state, seen)

    def merge(self, a: Limits, b: Limits) -> Limits:
        """The state of both."""
        return np.minimum(a[0], b[0]), np.maximum(a[1], b[1])

    def limits(self, state: Limits, grid: Uniform) -> Limits:
        """What was seen."""
        return state
