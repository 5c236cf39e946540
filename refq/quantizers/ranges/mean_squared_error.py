"""MeanSquaredError: the interval whose grid has the least squared error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.ranges.distribution import Distribution, Reals, merge, observe
from refq.quantizers.ranges.protocol import Limits
from refq.quantizers.uniform import Uniform

_GOLDEN = (np.sqrt(5.0) - 1) / 2
_TURNS = 16
_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquaredError:
    """The interval of least squared error.

        argmin over (low, high) of  sum_n (x[n] - D(Q(x[n]; low, high)))**2

    Parameters
    ----------
    steps : int >= 2     candidates n / steps of the whole interval; the neighbourhood of the best one is searched by
        golden section, and on an asymmetric grid each end once more alone, the other held
    reach : float >= 1   the largest candidate: above 1, intervals wider than the data are tried as well, whose levels
        may lie better

    Notes
    -----
    Gholami et al. 2021, section III-C; Shin et al. 2016, Choukroun et al. 2019. The error has many local minima: the
    result is never worse than any candidate, the whole interval among them.
    """

    steps: int = 100
    reach: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise RangeError(f"steps={self.steps} must be at least 2")
        if not 1 <= self.reach <= 16:
            raise RangeError(f"reach={self.reach} is outside 1..16")

    def observe(self, state: Distribution | None, x: NDArray[Any]) -> Distribution:
        """The data so far."""
        return observe(state, x)

    def merge(self, a: Distribution, b: Distribution) -> Distribution:
        """The data of both."""
        return merge(a, b)

    def limits(self, state: Distribution, grid: Uniform) -> Limits:
        """The best interval of every row."""
        low, high = np.empty_like(state.low), np.empty_like(state.high)
        together = 1 if state.values is None else max(1, _AT_ONCE // state.values.shape[1])
        for start in range(0, len(low), together):
            rows = slice(start, start + together)
            values, weights = state.points(start) if state.values is None else (state.values[rows], None)
            low[rows], high[rows] = self._search_rows(np.atleast_2d(values), weights, grid)
        return low, high

    def _search_rows(self, values: Reals, weights: Reals | None, grid: Uniform) -> tuple[Reals, Reals]:
        low, high = np.minimum(values[:, 0], 0.0), np.maximum(values[:, -1], 0.0)
        if grid.symmetric:
            high = np.maximum(-low, high)
            low = -high

        def error(first: Reals, last: Reals) -> Reals:
            return squared_errors(values, weights, grid, first * low, last * high)

        share = self._search(lambda s: error(s, s), np.ones(len(low)))
        if grid.symmetric or np.all((low == 0) | (high == 0)):
            return share * low, share * high
        first, last = share, share
        for _ in range(2):
            first = self._search(lambda s, held=last: error(s, held), first)
            last = self._search(lambda s, held=first: error(held, s), last)
        return first * low, last * high

    def _search(self, error: Callable[[Reals], Reals], start: Reals) -> Reals:
        """The best share of every row's interval, in (0, reach]; at least as good as `start`."""
        best, least = start, error(start)

        def better(share: Reals, found: Reals) -> None:
            nonlocal best, least
            best, least = np.where(found < least, share, best), np.minimum(found, least)

        for step in range(round(self.steps * self.reach), 0, -1):
            share = np.full(len(start), step / self.steps)
            better(share, error(share))
        a, b = np.maximum(best - 1 / self.steps, 1e-9), np.minimum(best + 1 / self.steps, self.reach)
        for _ in range(_TURNS):
            left, right = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
            at_left, at_right = error(left), error(right)
            better(left, at_left)
            better(right, at_right)
            is_left = at_left <= at_right
            a, b = np.where(is_left, a, left), np.where(is_left, right, b)
        return best


def squared_errors(values: Reals, weights: Reals | None, grid: Uniform, low: Reals, high: Reals) -> Reals:
    """Squared error of every row on the grid over its interval.

    Parameters
    ----------
    values : shape (rows, n)
    weights : shape (n,), or None for 1
    """
    fitted = grid.qparams(low, high, 0)
    scale, zero = fitted.scale.astype(np.float64)[:, None], fitted.zero_point.astype(np.float64)[:, None]
    steps = np.clip(np.rint(values / scale), fitted.qmin - zero, fitted.qmax - zero)
    squares = (values - scale * steps) ** 2
    return squares.sum(axis=1) if weights is None else squares @ weights
