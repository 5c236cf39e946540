"""KMeansLevels: shared weights, the centroids of k-means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError, RangeError, ShapeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels, ascending
from refq.quantizers.means import block_rows, finite_data
from refq.quantizers.optimal_clusters import optimal_centroids
from refq.quantizers.scalar_kmeans import Start, first_centroids, lloyd


@dataclass(frozen=True, slots=True, kw_only=True)
class KMeansLevels:
    """Levels that are the centroids of the data, or of data with weights.

        levels = argmin over c of sum_n h_n * min_k (x_n - c_k)**2

    Parameters
    ----------
    bits : int in 1..16     width of a code
    count : int in 2..2**bits, or None for 2**bits      levels
    start : linear, density, random, or optimal (dynamic programming: no centroids of their number err less)
    iterations : int >= 0   fewer when nothing moves any more
    seed : int              of start "random"

    Notes
    -----
    Han et al. 2016 (Deep Compression), section 3, eq. (2) and 3.2 (linear start is the best of theirs); with weights
    h_n, the diagonal of the Hessian of the loss, Choi et al. 2017, eq. (8)-(9): `fit(x, block, importance=h)`. Where a
    block has fewer different values than levels, these are the levels, and the error is 0. Hardware reads a table.
    """

    multiplier: ClassVar[str] = "lookup"
    bits: int = 4
    count: int | None = None
    start: Start = "linear"
    iterations: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16:
            raise RangeError(f"bits={self.bits} of k-means levels is outside 1..16")
        if self.count is not None and not 2 <= self.count <= 1 << self.bits:
            raise RangeError(f"count={self.count} is outside 2..{1 << self.bits}, the levels of {self.bits} bits")
        if self.start not in ("linear", "density", "random", "optimal"):
            raise RangeError(f"start={self.start!r} is none of 'linear', 'density', 'random' and 'optimal'")
        if self.iterations < 0:
            raise RangeError(f"iterations={self.iterations} must not be negative")

    def fit(self, x: Any, block: tuple[int, ...], importance: Any = None) -> Levels:
        """The centroids of every block.

        Parameters
        ----------
        importance : real >= 0, the shape of x, or None for equal weights; a block of zeros takes equal weights

        Raises
        ------
        CalibrationError    empty data, NaN or infinities, negative importance
        ShapeError          importance of another shape
        """
        data = finite_data(x)
        weights = np.ones_like(data) if importance is None else finite_data(importance)
        if weights.shape != data.shape:
            raise ShapeError(f"importance of shape {weights.shape} must have the shape {data.shape} of x")
        if weights.min() < 0:
            raise CalibrationError(f"importance={weights.min()} must not be negative")
        count = self.count or 1 << self.bits
        rows = zip(block_rows(data, block), block_rows(weights, block), strict=True)
        tables = [ascending(self._centroids(row, h, count), count) for row, h in rows]
        return Levels(levels=np.array(tables).reshape(*count_blocks(data.shape, block), count), block=block)

    def _centroids(self, row: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        values = np.unique(row.astype(np.float32))
        if len(values) <= count:
            return values.astype(np.float64)
        order = np.argsort(row, kind="stable")
        ordered, h = row[order], weights[order] / weights.max() if weights.max() > 0 else np.ones(len(row))
        if self.start == "optimal":
            return optimal_centroids(ordered, h, count)
        begin = first_centroids(ordered, count, self.start, np.random.default_rng(self.seed))
        return lloyd(ordered, h, begin, self.iterations)
