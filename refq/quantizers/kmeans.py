"""k-means: centroids of points by Lloyd's algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Points = NDArray[np.float32]

_FARTHEST = 2.0**50
"""Inner coordinates up to this have finite float32 squared distances in fewer than 2**27 dimensions."""


def finite_points(name: str, x: Any) -> Points:
    """`x` as float32 rows, or an error that says what is wrong with it."""
    array = np.asarray(x)
    if array.ndim != 2 or not array.shape[1]:
        raise ShapeError(f"{name} of shape {array.shape} must be (points, dimensions) with at least one dimension")
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"{name} of type {array.dtype} must be real numbers")
    with np.errstate(over="ignore"):
        points = np.asarray(array, np.float32)
    if not np.isfinite(points).all():
        raise RangeError(f"{name} holds values that are not finite in float32; remove or clip them first")
    return points


@dataclass(frozen=True, slots=True)
class Frame:
    """Where distances are computed: points are moved to their middle and scaled, so that squares fit float32.

    inner = (x - middle) * factor
    """

    middle: NDArray[np.float64]
    factor: float

    @classmethod
    def around(cls, points: Points) -> Frame:
        """The frame in which no coordinate of `points` exceeds 1 by much.

        Its factor is a power of two and its middle lies on a coarse binary grid, so that entering and leaving it are
        exact for points of few bits.
        """
        middle = points.mean(axis=0, dtype=np.float64)
        highest, lowest = float(points.max()), float(points.min())
        _, exponent = np.frexp(max(highest - middle.min(), middle.max() - lowest))
        step = np.ldexp(1.0, int(exponent) - 6)
        return cls(np.rint(middle / step) * step, float(np.ldexp(1.0, -int(exponent))))

    def enter(self, points: Points) -> Points:
        """Inner coordinates."""
        return ((points - self.middle) * self.factor).astype(np.float32)

    def leave(self, inner: NDArray[np.float64]) -> Points:
        """Coordinates of the caller."""
        return (inner / self.factor + self.middle).astype(np.float32)


class Panels:
    """Points in a frame, arranged once for any number of searches.

    Parameters
    ----------
    points : float32, shape (points, dims), dims >= 1
    frame : Frame

    Raises
    ------
    RangeError    a point so far out that its square would leave float32
    """

    def __init__(self, points: Points, frame: Frame) -> None:
        from refq.kernels.kmeans import POINTS, fill_panels

        self.count, self.dims = points.shape
        shape = (-(-self.count // POINTS), self.dims, POINTS)
        space = np.zeros(int(np.prod(shape)) + 16, np.float32)
        start = -(space.ctypes.data // 4) % 16  # vectors are read from multiples of 64 bytes
        self.array = space[start : start + int(np.prod(shape))].reshape(shape)
        if fill_panels(points, frame.middle, frame.factor, _FARTHEST, self.array):
            reach = np.abs((points - frame.middle) * frame.factor).max()
            raise RangeError(f"a coordinate lies {reach:.3g} times as far out as any centroid; remove outliers first")

    def rows(self, numbers: NDArray[np.int64]) -> Points:
        """Points by number, shape (numbers, dims)."""
        width = self.array.shape[2]
        return self.array[numbers // width, :, numbers % width]

    def nearest(self, centroids: Points) -> tuple[NDArray[np.int32], Points]:
        """Label of the nearest centroid, the lowest of equals, and x . c - |c|**2 / 2 for it: each (points,)."""
        from refq.kernels import cpu
        from refq.kernels.kmeans import CENTROIDS, nearest_of_panels, plain_nearest

        count, dims, width = self.array.shape
        labels, scores = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
        halves = (0.5 * np.square(centroids, dtype=np.float64).sum(axis=1)).astype(np.float32)
        if cpu.route() not in ("numpy", "generic"):
            groups = -(-len(centroids) // CENTROIDS)
            full = np.zeros((groups * CENTROIDS, dims), np.float32)
            full[: len(centroids)] = centroids
            filled = np.full(groups * CENTROIDS, np.inf, np.float32)
            filled[: len(centroids)] = halves
            blocks = np.ascontiguousarray(full.reshape(groups, CENTROIDS, dims).swapaxes(1, 2))
            addresses = (blocks.ctypes.data, filled.ctypes.data, groups, labels.ctypes.data, scores.ctypes.data)
            nearest_of_panels(self.array.ctypes.data, count, dims, *addresses)
        else:
            plain_nearest(self.array, centroids, halves, np.empty(width, np.float32), labels, scores)
        return labels.reshape(-1)[: self.count], scores.reshape(-1)[: self.count]


def kmeans(
    x: Any,
    centroids: int,
    *,
    generator: np.random.Generator,
    iterations: int = 25,
    start: Literal["sample", "kmeans++"] = "sample",
) -> Points:
    """Centroids that lower the sum of squared distances to the nearest one.

        label[n] = argmin_c |x[n] - c|**2,    c = mean of the points labelled c

    Parameters
    ----------
    x : real, shape (points, dims), finite
    centroids : int in 1..points
    generator : np.random.Generator     chooses the first centroids
    iterations : int >= 0               fewer when nothing moves any more
    start : sample (distinct points at random) or kmeans++ (each next point with a probability proportional to its
        squared distance to those chosen)

    Returns
    -------
    float32, shape (centroids, dims)

    Raises
    ------
    ShapeError, RangeError    points that are no finite matrix; fewer points than centroids; a bad count or start

    Notes
    -----
    Lloyd 1982; Arthur and Vassilvitskii 2007 for kmeans++. Distances are float32 around the middle of the points, means
    are float64 sums in the order of the points. A centroid without points moves to the point farthest from its own.

    >>> kmeans([[0.0], [1.0], [10.0]], 2, generator=np.random.default_rng(0)).tolist()
    [[0.5], [10.0]]
    """
    points = finite_points("x", x)
    if not 1 <= centroids <= len(points):
        raise RangeError(
            f"centroids={centroids} must be in 1..{len(points)}, the number of points; train on more points"
        )
    if iterations < 0:
        raise RangeError(f"iterations={iterations} must not be negative")
    if start not in ("sample", "kmeans++"):
        raise RangeError(f"start={start!r} is neither 'sample' nor 'kmeans++'")
    frame = Frame.around(points)
    panels = Panels(points, frame)
    if start == "kmeans++":
        first = _spread_out(panels, centroids, generator)
    else:
        first = np.sort(generator.choice(len(points), centroids, replace=False))
    return frame.leave(_lloyd(panels, panels.rows(first), iterations))


def _spread_out(panels: Panels, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    from refq.kernels.kmeans import lower_distances

    blocks, _, width = panels.array.shape
    distances, sums, totals = np.full(panels.count, np.inf, np.float32), np.empty(blocks), np.empty(width, np.float32)
    chosen = np.empty(count, np.int64)
    chosen[0] = generator.integers(panels.count)
    for i in range(1, count):
        lower_distances(panels.array, panels.rows(chosen[i - 1 : i])[0], totals, distances, sums)
        ends: NDArray[np.float64] = np.cumsum(sums)
        if ends[-1] == 0:  # every point coincides with a chosen one: any will do
            chosen[i] = generator.integers(panels.count)
            continue
        target = float(generator.random() * ends[-1])
        block = min(int(np.searchsorted(ends, target, side="right")), blocks - 1)
        inside: NDArray[np.float64] = np.cumsum(distances[block * width : (block + 1) * width], dtype=np.float64)
        place = int(np.searchsorted(inside, target - (float(ends[block - 1]) if block else 0.0), side="right"))
        chosen[i] = block * width + min(place, len(inside) - 1)
    return chosen


def _lloyd(panels: Panels, centroids: Points, iterations: int) -> NDArray[np.float64]:
    from refq.kernels.kmeans import add_up

    means = centroids.astype(np.float64)
    for _ in range(iterations):
        labels, scores = panels.nearest(means.astype(np.float32))
        sums, counts = np.zeros_like(means), np.zeros(len(means), np.int64)
        add_up(panels.array, labels, sums, counts)
        moved = sums / np.maximum(counts, 1)[:, None]
        empty = np.flatnonzero(counts == 0)
        if len(empty):
            squares = np.square(panels.array, dtype=np.float64).sum(axis=1).reshape(-1)[: panels.count]
            moved[empty] = panels.rows(np.argsort(2.0 * scores - squares, kind="stable")[: len(empty)])
        if np.array_equal(moved, means):
            break
        means = moved
    return means
