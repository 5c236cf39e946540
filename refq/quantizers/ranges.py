"""Ranges: which interval of reals a grid covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError

Limits = tuple[NDArray[np.float64], NDArray[np.float64]]


class Range(Protocol):
    """How an interval is chosen from data that arrives in batches."""

    def observe(self, seen: Limits | None, x: NDArray[Any], axis: int | None) -> Limits:
        """Merge a batch into what was seen before; `axis` keeps one interval a channel."""
        ...


@dataclass(frozen=True, slots=True)
class MinMax:
    """The smallest and the largest value seen (Gholami et al. 2021, section III-C).

    Raises
    ------
    CalibrationError    on an empty batch, NaN or infinities
    """

    def observe(self, seen: Limits | None, x: NDArray[Any], axis: int | None) -> Limits:
        """Minimum and maximum of `x` and of what was seen."""
        if x.size == 0:
            raise CalibrationError(f"an array of shape {x.shape} has no values to take a range from")
        others = None if axis is None else tuple(a for a in range(x.ndim) if a != axis)
        low = np.asarray(x.min(axis=others), np.float64)
        high = np.asarray(x.max(axis=others), np.float64)
        if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
            raise CalibrationError("the values hold NaN or infinities; a range needs finite ones")
        return (low, high) if seen is None else (np.minimum(seen[0], low), np.maximum(seen[1], high))
