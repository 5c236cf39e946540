"""Scales of level tables of a given shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS, _CANDIDATES = 3, 33


def squared_error(ordered: NDArray[np.float64], sums: NDArray[np.float64], levels: NDArray[np.float64]) -> float:
    """Squared error of nearest levels, up to the constant sum of squares.

    Parameters
    ----------
    ordered : ascending data, shape (n,)
    sums : its running sums, 0 first, shape (n + 1,)
    levels : ascending
    """
    ends = np.concatenate([[0], np.searchsorted(ordered, 0.5 * (levels[1:] + levels[:-1])), [len(ordered)]])
    return float((np.diff(ends) * levels**2 - 2 * np.diff(sums[ends]) * levels).sum())


def least_error_scale(row: NDArray[np.float64], shape: NDArray[np.float64]) -> float:
    """The scale of the levels `shape` that has the least squared error.

        argmin over s of sum_n min_i (x[n] - s * shape[i])**2

    Parameters
    ----------
    row : data, shape (n,)
    shape : ascending levels, the largest 1

    Notes
    -----
    The error has several minima; candidates between max|x| / 32 and 2 max|x| are refined thrice around the best, then
    the scale is the least-squares one for the levels chosen, as often as that helps. Sorting makes a candidate cost
    O(levels log n).
    """
    ordered = np.sort(row)
    largest = float(max(-ordered[0], ordered[-1]))
    if largest == 0.0:
        return 0.0
    ordered = ordered / largest
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    low, high = 1 / 32, 2.0
    best, error = 1.0, squared_error(ordered, sums, shape)
    for _ in range(_ROUNDS):
        for scale in np.linspace(low, high, _CANDIDATES):
            trial = squared_error(ordered, sums, float(scale) * shape)
            if trial < error:
                best, error = float(scale), trial
        width = (high - low) / (_CANDIDATES - 1)
        low, high = max(best - width, 1e-3), best + width
    for _ in range(20):
        ends = np.concatenate([[0], np.searchsorted(ordered, 0.5 * best * (shape[1:] + shape[:-1])), [len(ordered)]])
        power = float((np.diff(ends) * shape**2).sum())
        scale = float((np.diff(sums[ends]) * shape).sum()) / power if power > 0 else best
        trial = squared_error(ordered, sums, scale * shape) if scale > 0 else error
        if trial >= error:
            break
        best, error = scale, trial
    return best * largest
