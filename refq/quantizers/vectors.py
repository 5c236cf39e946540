"""Vectors: weights in groups, each group the sum of a few centroids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from refq.errors import RangeError, ShapeError
from refq.quantizers.kmeans import kmeans
from refq.quantizers.means import finite_data
from refq.quantizers.product import ProductCodebook, encode
from refq.quantizers.vector_codebook import Reals, Sharing, VectorCodebook, group


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Vector, product and residual quantization of a weight tensor, outputs first.

        centroids = k-means of the groups of `width` weights; each further stage: of what is left over

    Parameters
    ----------
    width : int >= 1        weights a group; 1 shares scalars
    bits : int in 1..16     of a code: 2**bits centroids, fewer where there are fewer groups
    stages : int in 1..16
    sharing : all or position, see `VectorCodebook`
    start : residual, or best: of residual stages and of a product quantizer with a stage a part of the vector, the one
        of less error. Sums of centroids contain products, so that it is no worse than a product quantizer of shorter
        vectors with as many bits
    iterations : int >= 1   of k-means
    seed : int

    Notes
    -----
    Gong et al. 2014, sections 3.2-3.4 (k-means, product, residual); Wu et al. 2016; Han et al. 2016. Hardware adds
    table entries: products of the input with all centroids are shared by all outputs.
    """

    multiplier: ClassVar[str] = "lookup"
    width: int = 4
    bits: int = 8
    stages: int = 1
    sharing: Sharing = "all"
    start: Literal["residual", "best"] = "residual"
    iterations: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("width", self.width, 1, 1 << 16),
            ("bits", self.bits, 1, 16),
            ("stages", self.stages, 1, 16),
            ("iterations", self.iterations, 1, 1 << 16),
        ):
            if not low <= value <= high:
                raise RangeError(f"{name}={value} of vectors is outside {low}..{high}")
        if self.sharing not in ("all", "position"):
            raise RangeError(f"sharing={self.sharing!r} is neither 'all' nor 'position'")
        if self.start not in ("residual", "best"):
            raise RangeError(f"start={self.start!r} is neither 'residual' nor 'best'")

    def fit(self, x: Any, block: tuple[int, ...] | None = None) -> VectorCodebook:
        """The centroids of a tensor.

        Parameters
        ----------
        x : real, shape (outputs, ...), finite
        block : only whole axes: what shares a book is up to `sharing`

        Raises
        ------
        CalibrationError        empty data, NaN or infinities
        ShapeError, RangeError  a scalar; blocks that cut an axis
        """
        data = finite_data(x).astype(np.float32)
        if not data.ndim:
            raise ShapeError("a scalar has no groups of weights")
        if block is not None and any(block):
            raise RangeError(f"block={block} must leave every axis whole; codebooks are shared by `sharing`")
        groups = group(data, self.width)
        parts = [groups.reshape(-1, self.width)] if self.sharing == "all" else list(groups.swapaxes(0, 1))
        children = np.random.default_rng(self.seed).spawn(len(parts) * self.stages)
        books: list[list[Reals]] = []
        for number, part in enumerate(parts):
            own = children[number * self.stages : (number + 1) * self.stages]
            tables = self._residual(part, own)
            if self.start == "best" and self.stages > 1:
                other = self._product(part, own)
                tables = min(tables, other, key=lambda trial: squared_error(trial, part))
            books.append(tables)
        return VectorCodebook(centroids=np.array(books), tail=data.shape[1:], sharing=self.sharing)

    def _residual(self, part: Reals, generators: list[np.random.Generator]) -> list[Reals]:
        left, tables = part, list[Reals]()
        for own in generators:
            tables.append(self._centroids(left, own))
            left = left - nearest(tables[-1], left)
        return tables

    def _product(self, part: Reals, generators: list[np.random.Generator]) -> list[Reals]:
        """Stages that each hold one part of the vector, and zeros elsewhere."""
        tables: list[Reals] = []
        for own, places in zip(generators, np.array_split(np.arange(self.width), self.stages), strict=True):
            table = np.zeros((min(1 << self.bits, len(part)), self.width), np.float32)
            if len(places):
                table[:, places] = self._centroids(part[:, places], own)
            tables.append(table)
        return tables

    def _centroids(self, points: Reals, own: np.random.Generator) -> Reals:
        count = min(1 << self.bits, len(points))
        return kmeans(points, count, generator=own, iterations=self.iterations, start="kmeans++")


def nearest(centroids: Reals, points: Reals) -> Reals:
    """The nearest centroid of every point."""
    return centroids[encode(ProductCodebook(centroids=centroids[None]), points)[:, 0]]


def squared_error(tables: list[Reals], points: Reals) -> float:
    """Of points after the nearest centroid of every table was taken off, one table after the other."""
    left = points
    for table in tables:
        left = left - nearest(table, left)
    return float(np.square(left, dtype=np.float64).sum())
