"""Distribution: what ranges keep of data in batches: the values while they are few, then a histogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.quantizers.ranges.protocol import finite_rows

Reals = NDArray[np.float64]

KEPT = 1 << 17
"""Values of a row that are kept as they are."""
BINS = 1 << 15
_SMALLEST_EXPONENT = -200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution:
    """Rows of data.

        bin i counts  i * 2**exponent <= x < (i + 1) * 2**exponent,   -BINS/2 <= i < BINS/2

    Parameters
    ----------
    low, high : float64, shape (rows,)      exact
    values : float64, shape (rows, n), ascending, or None once there are more than KEPT
    counts : int64, shape (rows, BINS), or None
    exponent : int64, shape (rows,)     the smallest at which the bins cover the row
    zeros : int64, shape (rows,)     values in the bin of 0 that are exactly 0, as ReLU makes many

    Notes
    -----
    Bins of a power-of-two width at multiples of it merge in pairs exactly when the range grows, and the width follows
    from max |x| alone: the state does not depend on how data was cut into batches, nor on their order.
    """

    low: Reals
    high: Reals
    values: Reals | None
    counts: NDArray[np.int64] | None = None
    exponent: NDArray[np.int64] | None = None
    zeros: NDArray[np.int64] | None = None

    def points(self, row: int) -> tuple[Reals, Reals]:
        """Values of a row, ascending, and how often each occurs: the data, or middles of bins kept within it."""
        if self.values is not None:
            kept: Reals = self.values[row]
            return kept, np.ones(kept.shape, np.float64)
        counts, exponents = _binned(self)
        found, zeros = counts[row].copy(), int(_zeros(self)[row])
        found[BINS // 2] -= zeros
        index: NDArray[np.int64] = np.flatnonzero(found).astype(np.int64)
        middles: Reals = np.ldexp(index - BINS // 2 + 0.5, int(exponents[row]))
        inside: Reals = np.minimum(np.maximum(middles, self.low[row]), self.high[row])
        weights: Reals = found[index].astype(np.float64)
        if not zeros:
            return inside, weights
        place = int(np.searchsorted(index, BINS // 2))
        values: Reals = np.insert(inside, place, 0.0)
        times: Reals = np.insert(weights, place, float(zeros))
        return values, times


def observe(state: Distribution | None, x: NDArray[Any]) -> Distribution:
    """The state after one more batch of rows."""
    values = np.sort(finite_rows(x).astype(np.float64), axis=1)
    seen = Distribution(low=values[:, 0], high=values[:, -1], values=values)
    return _shortened(seen) if state is None else merge(state, seen)


def merge(a: Distribution, b: Distribution) -> Distribution:
    """The state of the data of both."""
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    if a.values is not None and b.values is not None:
        values = np.sort(np.concatenate([a.values, b.values], axis=1), axis=1)
        return _shortened(Distribution(low=low, high=high, values=values))
    exponent = _exponents(low, high)
    counts = _counts(a, exponent) + _counts(b, exponent)
    zeros = _zeros(a) + _zeros(b)
    return Distribution(low=low, high=high, values=None, counts=counts, exponent=exponent, zeros=zeros)


def _shortened(state: Distribution) -> Distribution:
    if state.values is None or state.values.shape[1] <= KEPT:
        return state
    exponent = _exponents(state.low, state.high)
    counts = _counts(state, exponent)
    zeros = _zeros(state)
    return Distribution(low=state.low, high=state.high, values=None, counts=counts, exponent=exponent, zeros=zeros)


def _zeros(state: Distribution) -> NDArray[np.int64]:
    if state.zeros is not None or state.values is None:
        return np.zeros(len(state.low), np.int64) if state.zeros is None else state.zeros
    return np.count_nonzero(state.values == 0, axis=1).astype(np.int64)


def _exponents(low: Reals, high: Reals) -> NDArray[np.int64]:
    _, exponent = np.frexp(np.maximum(-low, high))
    return np.maximum(exponent.astype(np.int64) - (BINS.bit_length() - 2), _SMALLEST_EXPONENT)


def _binned(state: Distribution) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    exponent = _exponents(state.low, state.high) if state.exponent is None else state.exponent
    return (_counts(state, exponent) if state.counts is None else state.counts), exponent


def _counts(state: Distribution, exponent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts in bins of the given widths, which are not below the state's own."""
    counts = np.zeros((len(exponent), BINS), np.int64)
    for row, wanted in enumerate(exponent):
        if state.counts is None:
            values = state.values if state.values is not None else np.zeros((len(exponent), 0))
            index = np.floor(np.ldexp(values[row], -int(wanted))).astype(np.int64)
            counts[row] = np.bincount(index + BINS // 2, minlength=BINS)
        else:
            held, own = _binned(state)
            index = (np.arange(BINS) - BINS // 2) >> min(int(wanted - own[row]), 62)
            np.add.at(counts[row], index + BINS // 2, held[row])
    return counts
