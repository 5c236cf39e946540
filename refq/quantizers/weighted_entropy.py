"""WeightedEntropy: clusters that share out importance, not range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels, ascending, midpoints
from refq.quantizers.means import block_rows, finite_data

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedEntropy:
    """Clusters of the weights of one sign that maximise the weighted entropy of their codes.

        S = -sum_k I_k P_k log P_k,   P_k = share of the weights in cluster k,   I_k = mean importance there
        importance i(w) = w**2,   level_k = sqrt(I_k),   threshold_k = lowest |w| of cluster k

    Parameters
    ----------
    bits : int in 1..8      half of the 2**bits clusters for negative weights, half for the others
    iterations : int >= 0   passes over the boundaries; fewer when none moves any more

    Notes
    -----
    Park, Ahn, Yoo 2017, section 3.1, eq. (1)-(3), and algorithm 1: boundaries begin equally far apart in the sorted
    weights, then each moves to its best place between its neighbours. Equal weights stay in one cluster. 0 belongs to
    the lowest cluster of the positive weights and need not be a level. Hardware reads a table.
    """

    multiplier: ClassVar[str] = "lookup"
    bits: int = 4
    iterations: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} of weighted-entropy clusters is outside 1..8")
        if self.iterations < 0:
            raise RangeError(f"iterations={self.iterations} must not be negative")

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The clusters of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        counts = count_blocks(data.shape, block)
        tables = [self._table(row.astype(np.float32).astype(np.float64)) for row in block_rows(data, block)]
        levels = np.array([table[0] for table in tables]).reshape(*counts, 1 << self.bits)
        limits = np.array([table[1] for table in tables]).reshape(*counts, (1 << self.bits) - 1)
        return Levels(levels=levels, thresholds=limits, block=block)

    def _table(self, row: Row) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        half = 1 << (self.bits - 1)
        below = self._clusters(-row[row < 0], half)[::-1]
        above = self._clusters(row[row >= 0], half)
        found = [(-level, -edge) for level, edge in below] + above
        table = ascending([level for level, _ in found], 2 * half)
        limits = midpoints(table)
        at = {float(np.float32(level)): i for i, (level, _) in enumerate(found)}
        down = np.float32(-np.inf)
        for i in range(len(table) - 1):
            lower, upper = at.get(float(table[i])), at.get(float(table[i + 1]))
            if lower is None or upper is None:
                continue  # a level nobody needs: nothing lies between
            if found[upper][0] < 0 or (lower < len(below) <= upper):
                # the cluster below begins, seen from 0, right above this threshold
                limits[i] = np.float32(found[lower][1])
            else:
                limits[i] = np.nextafter(np.float32(found[upper][1]), down)
        return table, limits

    def _clusters(self, size: Row, count: int) -> list[tuple[float, float]]:
        """(level, lowest magnitude) of the clusters of magnitudes, ascending."""
        if not size.size:
            return []
        values, numbers = np.unique(size, return_counts=True)
        largest = values[-1] if values[-1] > 0 else 1.0
        heads = np.concatenate([[0], np.cumsum(numbers)]).astype(np.float64)
        importance = np.concatenate([[0.0], np.cumsum(numbers * (values / largest) ** 2)])
        ends = entropy_boundaries(heads, importance, min(count, len(values)), self.iterations)
        means = np.diff(importance[ends]) / np.diff(heads[ends])
        levels = np.where(np.diff(ends) == 1, values[ends[:-1]], np.sqrt(means) * largest)
        return list(zip(levels.tolist(), values[ends[:-1]].tolist(), strict=True))


def entropy_terms(heads: Row, importance: Row, starts: Any, stops: Any) -> Row:
    """-I P log P of clusters of the values starts..stops-1; P is a share of heads[-1]."""
    share = (heads[stops] - heads[starts]) / heads[-1]
    # I * P = importance / all: the count of the cluster cancels
    return -(importance[stops] - importance[starts]) / heads[-1] * np.log(share)


def entropy_boundaries(heads: Row, importance: Row, count: int, iterations: int) -> NDArray[np.int64]:
    """Boundaries of `count` clusters in sorted values that no single move improves, shape (count + 1,).

    Parameters
    ----------
    heads, importance : running counts and sums over the different values, 0 first
    count : int, at most the number of values
    """
    last = len(heads) - 1
    order = np.arange(count + 1, dtype=np.int64)
    at: NDArray[np.int64] = np.asarray(np.searchsorted(heads, heads[-1] * order / count), np.int64)
    at = np.maximum.accumulate(np.maximum(at - order, 0)) + order
    ends = np.minimum(at, last - np.arange(count, -1, -1)).astype(np.int64)
    ends[-1] = last
    for _ in range(iterations):
        before = ends.copy()
        for k in range(1, count):
            low, high = int(ends[k - 1]), int(ends[k + 1])
            places = np.arange(low + 1, high)
            gain = entropy_terms(heads, importance, low, places) + entropy_terms(heads, importance, places, high)
            best = int(np.argmax(gain))
            if gain[best] > gain[ends[k] - low - 1]:
                ends[k] = places[best]
        if np.array_equal(before, ends):
            break
    return ends
