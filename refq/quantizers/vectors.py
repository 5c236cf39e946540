"""Vectors: weights in groups, each group the sum of a few centroids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.kmeans import kmeans
from refq.quantizers.levels import read_codes, read_reals
from refq.quantizers.means import finite_data
from refq.quantizers.product import ProductCodebook, encode

Sharing = Literal["all", "position"]
Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorCodebook:
    """Centroids of groups of neighbouring weights.

        w[o, s * width : (s + 1) * width] = sum_r centroids[book(s), r, codes[o, s, r]]

    Parameters
    ----------
    centroids : float32, shape (books, stages, levels, width), finite; 1..65536 levels
    tail : tuple of int     shape of a tensor behind its first axis; its elements are cut in C order, and zeros fill up
        the last group
    sharing : all (one book) or position (book s for position s)

    Raises
    ------
    ShapeError, RangeError    centroids that do not fit, or are not finite

    Notes
    -----
    Gholami et al. 2021, section IV-F, eq. (13). all: vector quantization, of scalars where width = 1; position: product
    quantization (Jegou et al. 2011), and residual or recursive with several stages (Gong et al. 2014; Stock et al.
    2020).
    """

    centroids: Reals
    tail: tuple[int, ...]
    sharing: Sharing = "all"

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            array = np.array(self.centroids, np.float32)
        if array.ndim != 4 or not array.size or array.shape[2] > 1 << 16:
            raise ShapeError(f"centroids of shape {array.shape} must be (books, stages, 1..65536 levels, width)")
        if not np.isfinite(array).all():
            raise RangeError("centroids must be finite in float32")
        array.setflags(write=False)
        object.__setattr__(self, "centroids", array)
        books = 1 if self.sharing == "all" else self.positions
        if self.sharing not in ("all", "position") or array.shape[0] != books:
            raise ShapeError(
                f"{array.shape[0]} books with sharing={self.sharing!r} do not fit {self.positions} positions"
            )

    @property
    def width(self) -> int:
        """Weights a group."""
        return self.centroids.shape[3]

    @property
    def stages(self) -> int:
        """Centroids summed up for a group."""
        return self.centroids.shape[1]

    @property
    def positions(self) -> int:
        """Groups an output."""
        return -(-int(np.prod(self.tail)) // self.width)

    @property
    def bits(self) -> int:
        """Width of one code."""
        return max(1, (self.centroids.shape[2] - 1).bit_length())

    @property
    def bits_per_weight(self) -> float:
        """Codes alone: bits * stages * positions over the weights of an output."""
        return self.bits * self.stages * self.positions / max(int(np.prod(self.tail)), 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of codes: uint8, or uint16 above 256 levels."""
        return np.dtype(np.uint8 if self.centroids.shape[2] <= 256 else np.uint16)

    def quantize(self, x: Any) -> NDArray[Any]:
        """The nearest centroid of every group, stage by stage of what the stages before leave over.

        Parameters
        ----------
        x : real, shape (outputs,) + tail; NaN is read as 0, infinities as the largest finite float32

        Returns
        -------
        uint8 or uint16, shape (outputs, positions, stages)

        Raises
        ------
        ShapeError, RangeError    another tail; a value too far from every centroid
        """
        left = self._groups(x)
        codes = np.empty((*left.shape[:2], self.stages), self.dtype)
        for stage in range(self.stages):
            for book, part in self._books(left):
                found = encode(ProductCodebook(centroids=self.centroids[book : book + 1, stage]), part)
                chosen = self.centroids[book, stage][found[:, 0]]
                if self.sharing == "all":
                    codes[..., stage] = found.reshape(codes.shape[:2])
                    left = (part - chosen).reshape(left.shape)
                else:
                    codes[:, book, stage] = found[:, 0]
                    left[:, book] = part - chosen
        return codes

    def dequantize(self, codes: Any) -> Reals:
        """Codes to reals: shape (outputs,) + tail.

        Raises
        ------
        ShapeError, RangeError    codes of another shape, or beyond the number of levels
        """
        numbers = self._numbers(codes)
        books = np.zeros(1, np.int64) if self.sharing == "all" else np.arange(self.positions)
        groups = np.zeros((*numbers.shape[:2], self.width), np.float64)
        for stage in range(self.stages):
            groups += self.centroids[books[None, :], stage, numbers[..., stage]]
        flat = groups.reshape(len(numbers), -1)[:, : int(np.prod(self.tail))]
        return flat.reshape(len(numbers), *self.tail).astype(np.float32)

    def gradient(self, dw: Any, codes: Any) -> NDArray[np.float64]:
        """Gradients of the centroids: the sum of the gradients of the weights they stand for.

            d centroids[book, r, k] = sum of dw over the groups with code k at stage r

        Parameters
        ----------
        dw : real, shape (outputs,) + tail
        codes : shape (outputs, positions, stages)

        Notes
        -----
        Han et al. 2016, eq. (3).
        """
        numbers, slopes = self._numbers(codes), self._groups(dw).astype(np.float64)
        if len(numbers) != len(slopes):
            raise ShapeError(f"gradients of {len(slopes)} outputs do not fit codes of {len(numbers)}")
        total = np.zeros(self.centroids.shape)
        for stage in range(self.stages):
            for book, part in self._books(slopes):
                held = numbers[..., stage] if self.sharing == "all" else numbers[:, book, stage]
                np.add.at(total[book, stage], held.reshape(-1), part)
        return total

    def fine_tuned(self, codes: Any, slope: Callable[[Reals], Any], *, rate: float, steps: int = 1) -> VectorCodebook:
        """Centroids after gradient descent with the codes held.

            centroids -= rate * gradient(slope(dequantize(codes)), codes)

        Parameters
        ----------
        codes : shape (outputs, positions, stages)
        slope : from weights to the gradient of the loss by them, of the same shape
        rate : float > 0
        steps : int >= 0

        Notes
        -----
        Han et al. 2016, section 3.3: shared weights are trained, their sharing stays.
        """
        if not rate > 0 or steps < 0:
            raise RangeError(f"rate={rate} must be positive and steps={steps} not negative")
        held = self
        for _ in range(steps):
            moved = held.centroids - rate * held.gradient(slope(held.dequantize(codes)), codes)
            held = VectorCodebook(centroids=moved.astype(np.float32), tail=self.tail, sharing=self.sharing)
        return held

    def _groups(self, x: Any) -> Reals:
        reals = np.clip(read_reals(x), -np.finfo(np.float32).max, np.finfo(np.float32).max)
        if reals.shape[1:] != tuple(self.tail) or not reals.ndim:
            raise ShapeError(f"a tensor of shape {reals.shape} must be (outputs, *{tuple(self.tail)})")
        return group(reals, self.width)

    def _books(self, groups: NDArray[Any]) -> list[tuple[int, NDArray[Any]]]:
        if self.sharing == "all":
            return [(0, groups.reshape(-1, self.width))]
        return [(s, groups[:, s]) for s in range(groups.shape[1])]

    def _numbers(self, codes: Any) -> NDArray[np.int64]:
        numbers = read_codes(codes, self.centroids.shape[2])
        if numbers.ndim != 3 or numbers.shape[1:] != (self.positions, self.stages):
            raise ShapeError(f"codes of shape {numbers.shape} must be (outputs, {self.positions}, {self.stages})")
        return numbers


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


def group(x: NDArray[Any], width: int) -> NDArray[Any]:
    """Shape (outputs, positions, width), filled up with zeros."""
    flat = x.reshape(len(x), int(np.prod(x.shape[1:])))
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % width))).reshape(len(x), -1, width)
