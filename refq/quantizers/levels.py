"""Levels: the fitted value of every scalar grid that is not uniform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.blocks import count_blocks, spread

Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """Real levels with thresholds between them.

        code = number of thresholds below x,   real = levels[code]

    Parameters
    ----------
    levels : float32, shape (levels,) or counts + (levels,)     strictly ascending, finite; 1..65536
    thresholds : float32, one less along the last axis, ascending; default: the midpoints, so that a code names the
        nearest level. An x on a threshold belongs to the level below it
    block : tuple of int, one an axis of the tensor, or None for levels of the whole tensor
        size of a block along every axis, 0 for the whole axis; counts is the number of blocks along every axis

    Raises
    ------
    ShapeError, RangeError    shapes that do not fit, levels that are not finite and ascending

    Notes
    -----
    Gholami et al. 2021, eq. (6): Q(r) = X_i where r lies in [Delta_i, Delta_i+1).

    >>> Levels(levels=[-1, 0, 4]).quantize([-9, 0.4, 2.0, 2.1]).tolist()
    [0, 1, 1, 2]
    """

    levels: Reals
    thresholds: Reals
    block: tuple[int, ...] | None = None

    def __init__(self, *, levels: Any, thresholds: Any = None, block: tuple[int, ...] | None = None) -> None:
        table = _frozen("levels", levels)
        count = table.shape[-1] if table.ndim else 0
        if not 1 <= count <= 1 << 16 or not table.size:
            raise ShapeError(f"levels of shape {table.shape} must hold 1..65536 levels along the last axis")
        if table.ndim != 1 + (0 if block is None else len(block)):
            raise ShapeError(f"levels of shape {table.shape} with block={block} must have an axis an axis of the block")
        if not np.all(table[..., :-1] < table[..., 1:]):
            raise RangeError("levels must be strictly ascending")
        limits = _frozen("thresholds", midpoints(table) if thresholds is None else thresholds)
        if limits.shape != (*table.shape[:-1], count - 1):
            raise ShapeError(f"thresholds of shape {limits.shape} must be one less than the levels {table.shape}")
        if not np.all(limits[..., :-1] <= limits[..., 1:]):
            raise RangeError("thresholds must be ascending")
        for name, value in (("levels", table), ("thresholds", limits), ("block", block)):
            object.__setattr__(self, name, value)

    @property
    def count(self) -> int:
        """Number of levels."""
        return self.levels.shape[-1]

    @property
    def bits(self) -> int:
        """Width of a code."""
        return max(1, (self.count - 1).bit_length())

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of codes: uint8, or uint16 above 256 levels."""
        return np.dtype(np.uint8 if self.count <= 256 else np.uint16)

    def quantize(self, x: Any) -> NDArray[Any]:
        """Reals to codes.

        Parameters
        ----------
        x : real, taken as float32; NaN is read as 0, infinities get the outermost codes
        """
        reals = read_reals(x)
        limits = self.thresholds.reshape(int(np.prod(self.levels.shape[:-1])), self.count - 1)
        place = self._places(reals.shape) if len(limits) > 1 else None
        return count_below(limits, place, reals).astype(self.dtype)

    def quantize_stochastic(self, x: Any, rng: np.random.Generator) -> NDArray[Any]:
        """Reals to one of the two levels around them, the upper one with the probability that makes the mean x.

            p(upper) = (x - lower) / (upper - lower);  beyond the outermost levels these

        Parameters
        ----------
        x : real, as of `quantize`
        rng : draws one number an element in C order: chunks of the leading axis round as the whole does

        Notes
        -----
        Gholami et al. 2021, eq. (8), for levels at any distance. On the levels -1 and 1 this is the stochastic
        binarization of Courbariaux et al. 2015 (BinaryConnect), eq. (2)-(3): p(+1) = hard_sigmoid(x) =
        clip((x + 1) / 2, 0, 1).
        """
        reals = read_reals(x)
        table = self.levels.reshape(int(np.prod(self.levels.shape[:-1])), self.count)
        place = self._places(reals.shape) if len(table) > 1 else np.zeros((1,) * reals.ndim, np.int64)
        draws = rng.random(reals.shape)
        last = max(self.count - 2, 0)
        low = np.clip(count_below(table, place, reals) - 1, 0, last)
        start = place * self.count + low
        flat = table.reshape(-1).astype(np.float64)
        lower, upper = flat[start], flat[start + min(self.count - 1, 1)]
        inside = np.clip(reals.astype(np.float64), lower, upper)
        return (low + (draws * (upper - lower) < inside - lower)).astype(self.dtype)

    def dequantize(self, codes: Any) -> Reals:
        """Codes to reals, a read of the table.

        Raises
        ------
        RangeError    codes that are no integers below the number of levels
        """
        array = read_codes(codes, self.count)
        flat = self.levels.reshape(-1)
        return flat[array if len(flat) == self.count else self._places(array.shape) * self.count + array]

    def _places(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """The number of the block every element lies in, broadcastable against `shape`."""
        return block_numbers(self.levels.shape[:-1], self.block or (), shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Levels):
            return NotImplemented
        return (
            self.block == other.block
            and np.array_equal(self.levels, other.levels)
            and np.array_equal(self.thresholds, other.thresholds)
        )

    def __hash__(self) -> int:
        return hash((self.levels.tobytes(), self.thresholds.tobytes(), self.block))


def count_below(limits: Reals, place: NDArray[np.int64] | None, x: Reals) -> NDArray[np.int64]:
    """Thresholds below x, of the row that `place` names for every element.

    Parameters
    ----------
    limits : float32, shape (rows, thresholds), each row ascending
    place : int, broadcastable against x; None for row 0 everywhere
    """
    if place is None:
        return np.searchsorted(limits[0], x)
    depth = limits.shape[1].bit_length()
    table = np.full((len(limits), 1 << depth), np.inf, np.float32)
    table[:, : limits.shape[1]] = limits
    width, flat = table.shape[1], table.reshape(-1)
    count = np.zeros(x.shape, np.int64)
    for bit in reversed(range(depth)):  # bisection, all elements at once
        step = count + (1 << bit)
        count = np.where(x > flat[place * width + step - 1], step, count)
    return count


def midpoints(levels: Reals) -> Reals:
    """Halfway between neighbours along the last axis, rounded down to float32.

    A float32 above such a threshold is nearer to the upper level, one that is not is nearer to the lower one or in the
    middle: rounding down loses nothing, because no float32 lies between.
    """
    middle = 0.5 * levels[..., :-1].astype(np.float64) + 0.5 * levels[..., 1:].astype(np.float64)
    rounded = middle.astype(np.float32)
    with np.errstate(over="ignore"):  # below the lowest float32, where nothing needs it
        lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > middle, lower, rounded)


def ascending(values: Any, count: int) -> Reals:
    """`count` strictly ascending float32 levels that take in every one of `values`.

    Parameters
    ----------
    values : float, shape (n,), finite, at most `count` different ones in float32
    count : int >= 1

    Notes
    -----
    Missing levels continue above the largest value, a last gap apart (its magnitude, or 1, where there is no gap):
    data that the values cover never reaches them. Where that would leave float32, they go below the smallest value,
    or into the widest gap.
    """
    found = np.unique(np.asarray(values, np.float64).astype(np.float32))
    missing = count - len(found)
    if missing <= 0:
        return found[:count]
    low, high = float(found[0]), float(found[-1])
    limit, fine = float(np.finfo(np.float32).max), max(-low, high) * 2.0**-20
    gap = high - float(found[-2]) if len(found) > 1 else abs(high) or 1.0
    up = high + max(gap, fine, float(np.finfo(np.float32).tiny)) * np.arange(1, missing + 1)
    if up[-1] < limit:
        return np.append(found, up.astype(np.float32))
    if low - fine * missing > -limit:
        return np.append((low - fine * np.arange(missing, 0, -1)).astype(np.float32), found)
    widest = int(np.argmax(np.diff(found.astype(np.float64))))
    inside = np.linspace(float(found[widest]), float(found[widest + 1]), missing + 2)[1:-1].astype(np.float32)
    return np.concatenate([found[: widest + 1], inside, found[widest + 1 :]])


def block_numbers(counts: tuple[int, ...], block: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The number of the block every element lies in, broadcastable against a tensor of `shape`.

    Raises
    ------
    ShapeError    a shape that has other counts of blocks
    """
    if len(block) != len(shape) or count_blocks(shape, block) != counts:
        raise ShapeError(f"a tensor of shape {shape} does not have the {counts} blocks of {block} of the fitted grid")
    return spread(np.arange(int(np.prod(counts))).reshape(counts), block, shape)


def read_reals(x: Any) -> Reals:
    """As float32 with NaN read as 0; what float32 cannot hold becomes an infinity."""
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise RangeError(f"values of type {array.dtype} must be real numbers")
    with np.errstate(over="ignore"):
        return np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=np.inf, neginf=-np.inf)


def read_codes(codes: Any, count: int) -> NDArray[np.int64]:
    """As int64, or an error that names the code outside 0..count-1."""
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise RangeError(f"codes of type {array.dtype} must be integers")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= count):
        raise RangeError(f"codes in [{array.min()}, {array.max()}] must lie in 0..{count - 1}")
    return array.astype(np.int64)


def _frozen(name: str, values: Any) -> Reals:
    with np.errstate(over="ignore"):
        array = np.array(values, np.float32)  # a copy: the caller's array stays the caller's
    if not np.isfinite(array).all():
        raise RangeError(f"{name} must be finite in float32")
    array.setflags(write=False)
    return array
