"""Corner tables: the values at which quantizers go wrong. Deterministic; strategies draw from them by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEVELS = 256
"""Grids of at most so many levels are taken whole, larger ones at their ends, in the middle, evenly between."""


def integer_corners(low: int, high: int) -> tuple[int, ...]:
    """min, min + 1, -1, 0, 1, max - 1, max, and powers of two with their neighbours, as far as they lie in range.

    >>> integer_corners(-8, 7)
    (-8, -7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7)
    """
    powers = {
        sign * (1 << i) + d
        for i in range(max(high.bit_length(), (-low).bit_length()))
        for sign in (-1, 1)
        for d in (-1, 0, 1)
    }
    wanted = {low, low + 1, -1, 0, 1, high - 1, high} | powers
    return tuple(sorted(v for v in wanted if low <= v <= high))


def some(values: NDArray[Any], most: int = MOST_LEVELS) -> NDArray[Any]:
    """All values, or of a long table both ends, the middle, and others evenly between."""
    if len(values) <= most:
        return values
    third = most // 4
    middle = len(values) // 2
    even = np.linspace(0, len(values) - 1, most - 3 * third).astype(int)
    picked = np.concatenate(
        [
            np.arange(third),
            np.arange(middle - third // 2, middle + third // 2),
            np.arange(len(values) - third, len(values)),
            even,
        ]
    )
    return values[np.unique(picked)]


def neighbours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values with the float32 numbers just below and above each."""
    up, down = np.float32(np.inf), np.float32(-np.inf)
    return np.concatenate([np.nextafter(values, down), values, np.nextafter(values, up)])


def real_corners(levels: Any) -> NDArray[np.float32]:
    """Reals around a grid: levels, the middles between them, a quarter beyond the ends, all with their float32
    neighbours; others between the levels; zeros of both signs, the smallest numbers, the largest ones.

    Parameters
    ----------
    levels : real, shape (levels,), any order

    Returns
    -------
    float32, sorted, without NaN and infinities
    """
    table = some(np.unique(np.asarray(levels, np.float64)))
    middles = 0.5 * table[:-1] + 0.5 * table[1:]
    between = [(1 - f) * table[:-1] + f * table[1:] for f in (0.25, 0.4375, 0.5625, 0.75)]
    first = table[1] - table[0] if len(table) > 1 else 1.0
    last = table[-1] - table[-2] if len(table) > 1 else 1.0
    ends = np.concatenate(
        [table[0] - first * np.array([0.25, 0.5, 2.0]), table[-1] + last * np.array([0.25, 0.5, 2.0])]
    )
    with np.errstate(over="ignore"):
        near = neighbours(np.concatenate([table, middles, ends]).astype(np.float32))
    tiny, large = np.float32(1e-45), np.finfo(np.float32).max
    extreme = np.array([0.0, -0.0, tiny, -tiny, 1e-38, -1e-38, 1.0, -1.0, large, -large], np.float32)
    everything = np.concatenate([near, *(part.astype(np.float32) for part in between), extreme])
    return np.sort(everything[np.isfinite(everything)])


def exact_ties(scale: float, lowest: int, highest: int) -> NDArray[np.float32]:
    """The float32 numbers scale * (k + 1/2), lowest <= k <= highest, that are exact; all of them for powers of two.

    >>> exact_ties(0.5, -2, 1).tolist()
    [-0.75, -0.25, 0.25, 0.75]
    """
    steps = some(np.arange(lowest, highest + 1)) + 0.5
    wide = np.float64(np.float32(scale)) * steps  # exact: 24 bits times 17
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    return narrow[(narrow == wide) & np.isfinite(narrow)]
