"""Entropy: the interval that loses the least information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.ranges.distribution import Distribution, merge, observe
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform

_SMOOTHING = 1e-4
_LEVELS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Entropy:
    """The interval of least Kullback-Leibler divergence between the data and the data on fewer levels.

        argmin over t of  sum_i p[i] * log(p[i] / q[i])
        p : histogram within [-t, t], what lies beyond added to its end bins
        q : the same without what lies beyond, merged to the grid's levels and spread over the bins that hold data

    Parameters
    ----------
    bins : int      of the histogram over [-max|x|, max|x|]

    Notes
    -----
    Migacz, 8-bit inference with TensorRT, GTC 2017. The search over a histogram, `entropy_interval`, equals the
    calibrator of ONNX Runtime. At most 128 levels, as there: with more of them than bins can show, every interval looks
    alike.
    """

    bins: int = 2049

    def __post_init__(self) -> None:
        if self.bins < 2 * _LEVELS:
            raise RangeError(f"bins={self.bins} must be at least {2 * _LEVELS}")

    def observe(self, state: Distribution | None, x: NDArray[Any]) -> Distribution:
        """The data so far."""
        return observe(state, x)

    def merge(self, a: Distribution, b: Distribution) -> Distribution:
        """The data of both."""
        return merge(a, b)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """The best interval of every row, within its data."""
        low, high = state.low.copy(), state.high.copy()
        for row, largest in enumerate(np.maximum(-low, high)):
            if largest > 0:
                values, weights = state.points(row)
                counts = np.histogram(values / largest, bins=self.bins, range=(-1.0, 1.0), weights=weights)[0]
                edges = np.linspace(-1.0, 1.0, self.bins + 1)
                first, last = entropy_interval(np.rint(counts).astype(np.int64), edges, min(1 << grid.bits, _LEVELS))
                low[row], high[row] = max(first * largest, low[row]), min(last * largest, high[row])
        return low, high


def entropy_interval(counts: NDArray[np.int64], edges: NDArray[Any], levels: int) -> tuple[float, float]:
    """The interval around the middle bin of a histogram that loses the least information on `levels` levels.

    Parameters
    ----------
    counts : int64, shape (bins,), bins >= levels
    edges : ascending, shape (bins + 1,)
    levels : int >= 2
    """
    bins, half = len(counts), levels // 2
    middle = bins // 2
    best, found = np.inf, (float(edges[middle - half]), float(edges[min(middle + half + 1, bins)]))
    for reach in range(half, middle + 1):
        start, end = middle - reach, min(middle + reach + 1, bins)
        divergence = _divergence(counts[start:end], int(counts[:start].sum()), int(counts[end:].sum()), levels)
        if divergence < best:
            best, found = divergence, (float(edges[start]), float(edges[end]))
    return found


def _divergence(inside: NDArray[np.int64], below: int, above: int, levels: int) -> float:
    kept = inside.copy()
    kept[0] += below
    kept[-1] += above
    width = len(inside) // levels
    merged = inside[: levels * width].reshape(levels, width).sum(axis=1)
    merged[-1] += inside[levels * width :].sum()
    holds = (kept[: levels * width] != 0).reshape(levels, width).sum(axis=1)
    # Counts are integers here, as in ONNX Runtime: the share of a bin is rounded down. Every bin of a level gets it.
    share = np.where(holds > 0, merged / np.maximum(holds, 1), 0).astype(np.int64)
    shown = np.zeros_like(inside)
    shown[: levels * width] = np.repeat(share, width)
    p, q = _smoothed(kept), _smoothed(shown)
    if p is None or q is None:
        return np.inf
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Empty bins get a little of what the others hold; None where all are empty."""
    empty = counts == 0
    full = len(counts) - int(empty.sum())
    if not full:
        return None
    return np.where(empty, _SMOOTHING, counts - _SMOOTHING * int(empty.sum()) / full)
