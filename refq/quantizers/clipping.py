"""Scales of level tables of a given shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]

_ROUNDS, _CANDIDATES = 3, 129


def squared_errors(ordered: Row, sums: Row, shape: Row, scales: Any) -> tuple[Row, Row]:
    """Squared error of nearest levels at each scale, and the best scale for the codes chosen there.

    Parameters
    ----------
    ordered : ascending data, shape (n,)
    sums : its running sums, 0 first, shape (n + 1,)
    shape : ascending levels at scale 1
    scales : > 0, shape (s,)

    Returns
    -------
    (errors less the sum of squares of the data, least-squares scales, 0 where all codes stand for 0), each (s,)
    """
    factor: Row = np.asarray(scales, np.float64)[:, None]
    ends = np.zeros((len(factor), len(shape) + 1), np.int64)
    ends[:, 1:-1] = np.searchsorted(ordered, factor * (0.5 * (shape[1:] + shape[:-1])))
    ends[:, -1] = len(ordered)
    power: Row = np.asarray((np.diff(ends) * shape**2).sum(axis=1), np.float64)
    overlap: Row = np.asarray((np.diff(sums[ends]) * shape).sum(axis=1), np.float64)
    errors = factor[:, 0] ** 2 * power - 2 * factor[:, 0] * overlap
    return errors, np.maximum(overlap, 0) / np.where(power > 0, power, 1.0)


def least_error_scale(row: Row, shape: Row) -> float:
    """The scale of the levels `shape` that has the least squared error.

        argmin over s of sum_n min_i (x[n] - s * shape[i])**2

    Parameters
    ----------
    row : data, shape (n,)
    shape : ascending levels, the largest 1

    Notes
    -----
    The error has many minima; candidates between max|x| / 64 and 2 max|x| are refined around the best, then the scale
    is the least-squares one for the codes chosen, as often as that helps. A candidate costs O(levels log n) on sorted
    data.
    """
    ordered = np.sort(row)
    largest = float(max(-ordered[0], ordered[-1]))
    if largest == 0.0:
        return 0.0
    ordered = ordered / largest
    sums: Row = np.zeros(len(ordered) + 1)
    sums[1:] = np.cumsum(ordered)
    low, high = 1 / 64, 2.0
    best, error = 1.0, float(squared_errors(ordered, sums, shape, [1.0])[0][0])
    for _ in range(_ROUNDS):
        candidates = low + (high - low) / (_CANDIDATES - 1) * np.arange(_CANDIDATES, dtype=np.float64)
        for scales in (candidates, squared_errors(ordered, sums, shape, candidates)[1]):
            trials = squared_errors(ordered, sums, shape, np.maximum(scales, low))[0]
            if trials.min() < error:
                place = int(np.argmin(trials))
                best, error = float(max(scales[place], low)), float(trials[place])
        width = (high - low) / (_CANDIDATES - 1)
        low, high = max(best - width, 1e-3), best + width
    for _ in range(50):
        scale = float(squared_errors(ordered, sums, shape, [best])[1][0])
        trial = float(squared_errors(ordered, sums, shape, [scale])[0][0]) if scale > 0 else error
        if not trial < error:
            break
        best, error = scale, trial
    return best * largest
