"""Weighted k-means of numbers: Lloyd's algorithm on sorted data."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
Start = Literal["linear", "density", "random", "optimal"]


def first_centroids(ordered: Row, count: int, start: Start, generator: np.random.Generator | None) -> Row:
    """Ascending centroids to begin with.

    linear: equally spaced between the extremes. density: equally spaced in the empirical distribution. random: distinct
    values of the data.

    Parameters
    ----------
    ordered : ascending data
    count : int, at most the number of different values
    """
    if start == "linear":
        steps: Row = np.arange(count, dtype=np.float64) / max(count - 1, 1)
        return ordered[0] + steps * (ordered[-1] - ordered[0])
    if start == "density":
        at = np.linspace(0, len(ordered) - 1, count)
        return np.asarray(np.interp(at, np.arange(len(ordered)), ordered))
    values: Row = np.unique(ordered)
    rng = np.random.default_rng(0) if generator is None else generator
    return np.sort(rng.choice(values, count, replace=False))


def lloyd(ordered: Row, weights: Row, centroids: Row, iterations: int) -> Row:
    """Centroids that lower sum_n weights[n] * (x[n] - nearest centroid)**2, until nothing moves.

        c_k = sum of weights * x / sum of weights, over the x nearest to c_k

    Parameters
    ----------
    ordered : ascending data, shape (n,)
    weights : >= 0, shape (n,), not all 0
    centroids : ascending, shape (k,)
    iterations : int >= 0, the most

    Notes
    -----
    A cell is an interval of the sorted data, so that means are differences of running sums. Centroids without weight
    move to the data of the largest weighted error, as scikit-learn's do.
    """
    mass = np.concatenate([[0.0], np.cumsum(weights)])
    moment = np.concatenate([[0.0], np.cumsum(weights * ordered)])
    for _ in range(iterations):
        ends = np.concatenate([[0], np.searchsorted(ordered, 0.5 * (centroids[1:] + centroids[:-1])), [len(ordered)]])
        share = np.diff(mass[ends])
        empty = share <= 0
        moved = np.where(empty, centroids, np.diff(moment[ends]) / np.where(empty, 1.0, share))
        if empty.any():
            labels = np.repeat(np.arange(len(centroids)), np.diff(ends))
            gain = weights * (ordered - moved[labels]) ** 2
            farthest = np.argsort(-gain, kind="stable")[: int(empty.sum())]
            moved[empty] = np.where(gain[farthest] > 0, ordered[farthest], moved[empty])
            moved = np.sort(moved)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids
