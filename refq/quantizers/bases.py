"""Bases: the fitted value of sums of scaled signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.levels import Reals, block_numbers, count_below, midpoints, read_codes, read_reals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bases:
    """Real numbers that are sums of scaled signs.

        real = offset + sum_i alphas[i] * b_i,   b_i in {-1, +1},   bit i of the code = (b_i > 0)

    Parameters
    ----------
    alphas : float32, shape (bases,) or counts + (bases,), finite; 1..16 bases
    block : as of `Levels`
    offset : float32, one a block; default 0
    thresholds : float32, shape of alphas, or None
        b_i = sign(x - thresholds[i]), +1 at 0: bases that depend on x alone (ABC-Net)
    greedy : bool
        b_i = sign of what the bases before i leave over, +1 at 0; otherwise, and without thresholds, a code names the
        nearest of all 2**bases sums, the lower one of two that are equally near

    Raises
    ------
    ShapeError, RangeError    shapes that do not fit, values that are not finite

    Notes
    -----
    Gholami et al. 2021, section III-F, "r = sum_i alpha_i b_i" (binary-code quantization). A product with such weights
    is one binary product a basis, then one multiplication by alpha each.

    >>> grid = Bases(alphas=[2, 1])
    >>> grid.quantize([-3, -0.9, 1.2, 9]).tolist(), grid.dequantize([0, 2, 1, 3]).tolist()
    ([0, 2, 1, 3], [-3.0, -1.0, 1.0, 3.0])
    """

    alphas: Reals
    block: tuple[int, ...] | None = None
    offset: Reals
    thresholds: Reals | None = None
    greedy: bool = False

    def __init__(
        self,
        *,
        alphas: Any,
        block: tuple[int, ...] | None = None,
        offset: Any = 0,
        thresholds: Any = None,
        greedy: bool = False,
    ) -> None:
        table = _frozen("alphas", alphas)
        if not table.size or not 1 <= table.shape[-1] <= 16:
            raise ShapeError(f"alphas of shape {table.shape} must hold 1..16 bases along the last axis")
        if table.ndim != 1 + (0 if block is None else len(block)):
            raise ShapeError(f"alphas of shape {table.shape} with block={block} must have an axis an axis of the block")
        if greedy and thresholds is not None:
            raise RangeError("greedy signs follow from what is left over; they take no thresholds")
        limits = None if thresholds is None else _frozen("thresholds", thresholds)
        if limits is not None and limits.shape != table.shape:
            raise ShapeError(f"thresholds of shape {limits.shape} must have the shape {table.shape} of alphas")
        centre = _frozen("offset", np.broadcast_to(np.asarray(offset), table.shape[:-1]))
        values = {"alphas": table, "block": block, "offset": centre, "thresholds": limits, "greedy": greedy}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def bits(self) -> int:
        """Width of a code: one bit a basis."""
        return self.alphas.shape[-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of codes: uint8, or uint16 above 8 bases."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    def sums(self) -> Reals:
        """The real of every code: shape (2**bases,) or counts + (2**bases,)."""
        signs = code_signs(np.arange(1 << self.bits), self.bits).astype(np.float64)
        return (self.alphas.astype(np.float64) @ signs.T + self.offset[..., None]).astype(np.float32)

    def quantize(self, x: Any) -> NDArray[Any]:
        """Reals to codes.

        Parameters
        ----------
        x : real, taken as float32; NaN is read as 0, infinities as the largest finite float32 of their sign
        """
        limit = np.finfo(np.float32).max
        reals = np.clip(read_reals(x), -limit, limit)
        if self.thresholds is None and not self.greedy:
            return self._nearest(reals)
        place = self._places(reals.shape)
        codes = np.zeros(reals.shape, np.int64)
        left = reals.astype(np.float64) - self.offset.reshape(-1)[place]
        for i in range(self.bits):
            limits = None if self.thresholds is None else self.thresholds[..., i].reshape(-1)[place]
            is_up = left >= 0 if limits is None else reals >= limits
            left = left - np.where(is_up, 1.0, -1.0) * self.alphas[..., i].reshape(-1)[place]
            codes |= is_up.astype(np.int64) << i
        return codes.astype(self.dtype)

    def _nearest(self, reals: Reals) -> NDArray[Any]:
        tables = self.sums().reshape(-1, 1 << self.bits)
        order = np.argsort(tables, axis=-1, kind="stable")
        ranked = np.take_along_axis(tables, order, axis=-1)
        starts: NDArray[np.int64] = np.zeros(ranked.shape, np.int64)
        starts += np.arange(ranked.shape[1], dtype=np.int64)
        starts[:, 1:][ranked[:, 1:] == ranked[:, :-1]] = 0
        first: NDArray[np.int64] = np.maximum.accumulate(starts, axis=-1)
        place = self._places(reals.shape) if len(tables) > 1 else None
        rank = count_below(midpoints(ranked), place, reals)
        lowest = np.take_along_axis(order, first, axis=-1)  # sums that coincide share the lowest of their codes
        return lowest.reshape(-1)[(0 if place is None else place) * ranked.shape[1] + rank].astype(self.dtype)

    def dequantize(self, codes: Any) -> Reals:
        """Codes to reals.

        Raises
        ------
        RangeError    codes that are no integers below 2**bases
        """
        array = read_codes(codes, 1 << self.bits)
        return self.sums().reshape(-1)[self._places(array.shape) * (1 << self.bits) + array]

    def signs(self, codes: Any) -> NDArray[np.int8]:
        """The bases themselves, -1 and +1: the shape of `codes` with an axis of bases behind it."""
        return code_signs(read_codes(codes, 1 << self.bits), self.bits)

    def _places(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        if self.block is None or self.alphas.size == self.bits:
            return np.zeros((1,) * len(shape), np.int64)
        return block_numbers(self.alphas.shape[:-1], self.block, shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bases) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        limits = None if self.thresholds is None else self.thresholds.tobytes()
        return (self.alphas.shape, self.alphas.tobytes(), self.offset.tobytes(), limits, self.block, self.greedy)


def code_signs(codes: NDArray[Any], bits: int) -> NDArray[np.int8]:
    """Bit i as +1 or -1, along a new last axis."""
    ones = np.asarray(codes, np.int64)[..., None] >> np.arange(bits) & 1
    return (2 * ones - 1).astype(np.int8)


def _frozen(name: str, values: Any) -> Reals:
    with np.errstate(over="ignore"):
        array = np.array(values, np.float32)
    if not np.isfinite(array).all():
        raise RangeError(f"{name} must be finite in float32")
    array.setflags(write=False)
    return array
