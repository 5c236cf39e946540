"""The optimal clusters of numbers: k-means without local optima, by dynamic programming."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError

Row = NDArray[np.float64]
Places = NDArray[np.int64]

_MOST_CELLS = 1 << 28


def optimal_centroids(ordered: Row, weights: Row, count: int) -> Row:
    """Centroids of least weighted squared error among all of their number.

        D_k[j] = max over i of D_k-1[i] + (sum w x)**2 / sum w over i..j-1;   the error is sum w x**2 - D_count[n]

    Parameters
    ----------
    ordered : ascending data, shape (n,)
    weights : >= 0, shape (n,), not all 0
    count : int >= 1, at most the number of different values with weight

    Raises
    ------
    RangeError    count * n beyond 2**28: the table of boundaries would not fit

    Notes
    -----
    Clusters of numbers are intervals (Fisher 1958), and the best last boundary grows with j, so that each row of the
    table takes O(n log n) (divide and conquer over the monotone maxima of a Monge array; Gronlund et al. 2017).
    """
    held = weights > 0
    values, inverse = np.unique(ordered[held], return_inverse=True)
    mass = np.bincount(inverse, weights[held])
    n, count = len(values), min(count, len(values))
    if count * n > _MOST_CELLS:
        raise RangeError(f"{count} optimal clusters of {n} values need too large a table; use another start")
    middle = float((mass * values).sum() / mass.sum())
    heads, moments = np.zeros(n + 1), np.zeros(n + 1)
    heads[1:], moments[1:] = np.cumsum(mass), np.cumsum(mass * (values - middle))
    gains = np.full(n + 1, -np.inf)
    gains[1:] = moments[1:] ** 2 / heads[1:]
    boundaries: list[Places] = []
    for k in range(2, count + 1):
        gains, before = _row(gains, heads, moments, k)
        boundaries.append(before)
    ends = [n]
    for before in reversed(boundaries):
        ends.append(int(before[ends[-1]]))
    cuts = np.array([0, *reversed(ends)])
    return np.diff(moments[cuts]) / np.diff(heads[cuts]) + middle


def _row(gains: Row, heads: Row, moments: Row, k: int) -> tuple[Row, Places]:
    """D_k and the best start of the last cluster, for every end j >= k; all ends of one depth at once."""
    n = len(heads) - 1
    best, start = np.full(n + 1, -np.inf), np.full(n + 2, n, np.int64)
    start[:k] = k - 1
    step = 1 << max(n - k, 0).bit_length()
    while step:
        ends = np.arange(k - 1 + step, n + 1, 2 * step, dtype=np.int64)
        step >>= 1
        if not len(ends):
            continue
        span = 2 * step or 1
        left = start[np.maximum(ends - span, k - 1)]
        right = np.minimum(start[np.minimum(ends + span, n + 1)], ends - 1)
        width = right - left + 1
        first = np.cumsum(width) - width
        place = np.arange(int(width.sum()), dtype=np.int64) + np.repeat(left - first, width)
        end = np.repeat(ends, width)
        total = gains[place] + (moments[end] - moments[place]) ** 2 / (heads[end] - heads[place])
        highest = np.maximum.reduceat(total, first)
        hits = np.flatnonzero(total == np.repeat(highest, width))
        segment = np.searchsorted(first, hits, side="right") - 1
        _, lowest = np.unique(segment, return_index=True)
        best[ends], start[ends] = highest, place[hits[lowest]]
    return best, start[: n + 1]
