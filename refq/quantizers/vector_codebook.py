"""VectorCodebook: the fitted value of vector, product and residual quantization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.levels import read_codes, read_reals
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


def group(x: NDArray[Any], width: int) -> NDArray[Any]:
    """Shape (outputs, positions, width), filled up with zeros."""
    flat = x.reshape(len(x), int(np.prod(x.shape[1:])))
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % width))).reshape(len(x), -1, width)
