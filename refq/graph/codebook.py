"""Codebook: how an integer weight tensor is held as codes into tables of integers."""

from __future__ import annotations

from math import prod
from typing import Any, Literal
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Multiplier = Literal["multiply", "shift", "shift_add", "sign", "bit_planes", "lookup", "group_rescale"]
MULTIPLIERS = ("multiply", "shift", "shift_add", "sign", "bit_planes", "lookup", "group_rescale")


class Codebook:
    """Codes, the tables they read, and the kind of hardware that multiplies by them.

        integer[..., s * width : (s + 1) * width] = scales[book] * sum_r tables[book, r, codes[..., s, r]]

    Parameters
    ----------
    codes : integers, shape of the tensor with the last axis divided by width, and an axis of stages behind; kept as
        uint8, or uint16 above 256 levels
    tables : int32, shape (books, stages, levels, width), or (1, stages, levels, width) where all books share one
    sharing : tuple of int, one an axis of the tensor     how many codes along each axis read the same book, 0 = all;
        (0, 0) is one book, (1, 0) one an output, (0, 1) one a position, (1, 32) one for 32 codes of an output. Books
        are numbered in C order; the last of an axis may be ragged. Default: one book
    multiplier : str
        multiply; shift (entries are 0 or powers of two); shift_add (sums of a few); sign (in a book, one positive and
        one negative value at most, and 0); bit_planes (two levels a stage); lookup; group_rescale (sums of a book, then
        one product with its scale)
    tail : tuple of int, or None    shape of the tensor behind its first axis, where codes of shape (outputs, positions,
        stages) name its rows flattened; what the last position has beyond the row is dropped
    scales : int32 > 0, shape (books,), or None for 1; where it is given, tables may be one for all books

    Raises
    ------
    ShapeError    shapes that contradict each other
    RangeError    codes without a level, integers beyond int32, a multiplier that cannot form the entries

    >>> book = Codebook(codes=[[[0], [1]], [[1], [1]]], tables=[[[[1, 2], [3, 4]]]])
    >>> book.decode().tolist(), book.bits_per_weight
    ([[1, 2, 3, 4], [3, 4, 3, 4]], 0.5)
    """

    codes: NDArray[Any]
    tables: NDArray[np.int32]
    sharing: tuple[int, ...]
    multiplier: Multiplier
    scales: NDArray[np.int32] | None
    tail: tuple[int, ...] | None
    __slots__ = ("_held", "codes", "multiplier", "scales", "sharing", "tables", "tail")

    def __init__(
        self,
        *,
        codes: Any,
        tables: Any,
        sharing: tuple[int, ...] | None = None,
        multiplier: Multiplier = "lookup",
        scales: Any = None,
        tail: tuple[int, ...] | None = None,
    ) -> None:
        numbers, entries = np.asarray(codes), np.asarray(tables)
        if numbers.ndim < 2 or numbers.dtype.kind not in "iu" or entries.ndim != 4 or entries.dtype.kind not in "iu":
            raise ShapeError(
                f"codes of shape {numbers.shape} and tables of shape {entries.shape} must be integers "
                "(..., positions, stages) and (books, stages, levels, width)"
            )
        if not entries.size or entries.shape[1] != numbers.shape[-1] or entries.shape[2] > 1 << 16:
            raise ShapeError(
                f"tables of shape {entries.shape} must hold 1..65536 levels for {numbers.shape[-1]} stages"
            )
        if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= entries.shape[2]):
            raise RangeError(f"codes in [{numbers.min()}, {numbers.max()}] must lie in 0..{entries.shape[2] - 1}")
        shared = (0,) * (numbers.ndim - 1) if sharing is None else tuple(sharing)
        if len(shared) != numbers.ndim - 1 or any(type(step) is not int or step < 0 for step in shared):
            raise ShapeError(f"sharing={shared} must be a size >= 0 for each of {numbers.ndim - 1} axes")
        put = object.__setattr__
        put(self, "codes", _frozen(numbers, np.uint8 if entries.shape[2] <= 256 else np.uint16))
        put(self, "sharing", shared)
        put(self, "multiplier", multiplier)
        put(self, "tables", _int32("tables", entries))
        put(self, "scales", None if scales is None else _int32("scales", np.asarray(scales)))
        put(self, "tail", None if tail is None else tuple(tail))
        put(self, "_held", None)
        self._check()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Codebook is a value; {name} cannot be set")

    def _check(self) -> None:
        books, per_table = prod(self._counts()), self.tables.shape[0]
        if self.scales is not None and (self.scales.shape != (books,) or self.scales.min(initial=1) < 1):
            raise ShapeError(f"scales of shape {self.scales.shape} must be {books} positive integers, one a book")
        if per_table != books and not (per_table == 1 and self.scales is not None):
            raise ShapeError(f"sharing={self.sharing} makes {books} books of codes {self.codes.shape}, got {per_table}")
        if self.tail is not None and (
            self.codes.ndim != 3
            or any(type(size) is not int or size < 0 for size in self.tail)
            or self.codes.shape[1] != -(-prod(self.tail) // self.width)
        ):
            raise ShapeError(f"codes of shape {self.codes.shape} must name the rows of (outputs, *{self.tail})")
        if self.multiplier not in MULTIPLIERS:
            raise RangeError(f"multiplier={self.multiplier!r} is not one of {', '.join(MULTIPLIERS)}")
        if self.multiplier == "group_rescale" and self.scales is None:
            raise RangeError("multiplier='group_rescale' needs the integer scales of the groups")
        if (
            self.multiplier not in ("bit_planes", "lookup", "multiply", "group_rescale")
            and self.stages * self.width > 1
        ):
            raise ShapeError(
                f"multiplier={self.multiplier!r} takes one stage of single weights, got {self.tables.shape}"
            )
        largest = int(self.tables.max(axis=(2, 3)).clip(0).sum(axis=1, dtype=np.int64).max())
        smallest = int(self.tables.min(axis=(2, 3)).clip(None, 0).sum(axis=1, dtype=np.int64).min())
        scale = 1 if self.scales is None else int(self.scales.max(initial=1))
        if max(largest, -smallest) * scale >= 1 << 31:
            raise RangeError(f"sums of {self.stages} entries up to {max(largest, -smallest)} times {scale} leave int32")
        size = np.abs(self.tables.astype(np.int64))
        if self.multiplier == "shift" and np.any(size & (size - 1)):
            raise RangeError("multiplier='shift' needs entries that are 0 or powers of two")
        if self.multiplier == "bit_planes" and (self.tables.shape[2] != 2 or self.width != 1):
            raise ShapeError(
                f"multiplier='bit_planes' takes two levels a stage of single weights, got {self.tables.shape}"
            )
        if self.multiplier == "sign":
            rows = self.tables.reshape(per_table, -1).astype(np.int64)
            for side in (rows.clip(min=0), -rows.clip(max=0)):
                if np.any((side != 0) & (side != side.max(axis=1, keepdims=True))):
                    raise RangeError("multiplier='sign' needs one positive and one negative value a book, and 0")

    def _counts(self) -> tuple[int, ...]:
        return tuple(-(-n // step) if step else 1 for n, step in zip(self.codes.shape[:-1], self.sharing, strict=True))

    @property
    def stages(self) -> int:
        """Tables that add up."""
        return self.tables.shape[1]

    @property
    def width(self) -> int:
        """Weights along the last axis that one code names."""
        return self.tables.shape[3]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        *leading, positions, _ = self.codes.shape
        if self.tail is not None:
            return (*leading, *self.tail)
        return (*leading, positions * self.width)

    @property
    def code_bits(self) -> int:
        """Width of one stored code."""
        return max(1, (self.tables.shape[2] - 1).bit_length())

    @property
    def bits_per_weight(self) -> float:
        """Stored bits of codes for one weight, tables and scales left out."""
        return self.code_bits * self.codes.size / max(prod(self.shape), 1)

    @property
    def metadata_bytes(self) -> int:
        """Bytes of tables and scales, each entry as wide as the widest needs.

        Notes
        -----
        Codes of shift, shift_add, multiply and group_rescale say by their bits what they stand for and have no table;
        nor have signs of 1. Bases of opposite entries store one of the two.
        """
        entries = 0
        if self.multiplier == "lookup":
            entries = self.tables.size
        elif self.multiplier == "bit_planes":
            is_odd = np.array_equal(self.tables[:, :, 0], -self.tables[:, :, 1])
            entries = self.tables.size // (2 if is_odd else 1)
        elif self.multiplier == "sign" and np.any(np.abs(self.tables) > 1):
            entries = int(np.count_nonzero(self.tables))
        wide = -(-_signed_bits(self.tables) // 8) * entries
        if self.scales is not None:
            wide += -(-int(self.scales.max(initial=1)).bit_length() // 8) * self.scales.size
        return wide

    def books(self) -> NDArray[np.int64]:
        """The number of the book that every code reads: shape of the codes without the axis of stages."""
        number = np.arange(prod(self._counts())).reshape(self._counts())
        for axis, (size, step) in enumerate(zip(self.codes.shape, self.sharing, strict=False)):
            place: list[int] = [i // (step or max(size, 1)) for i in range(size)]
            number = np.take(number, place, axis=axis)
        return number

    def decode(self) -> NDArray[np.int32]:
        """The integers, int32, in the shape of the tensor."""
        books, total = self.books(), np.zeros((*self.codes.shape[:-1], self.width), np.int32)
        where = books if self.tables.shape[0] > 1 else np.zeros_like(books)
        for stage in range(self.stages):
            total += self.tables[where, stage, self.codes[..., stage]]
        if self.scales is not None:
            total *= self.scales[books][..., None]
        if self.tail is not None:
            total = total.reshape(len(total), -1)[:, : prod(self.tail)]
        return total.reshape(self.shape)

    def check_holds(self, name: str, values: NDArray[Any]) -> None:
        """Refuse integers that are not the decoded ones.

        Raises
        ------
        ShapeError, RangeError    another shape, or another value
        """
        held: ReferenceType[NDArray[Any]] | None = self._held
        if held is not None and held() is values:
            return
        if values.shape != self.shape or values.dtype.kind not in "iu":
            raise ShapeError(f"{name!r} is {values.dtype}{list(values.shape)}, its codebook decodes to {self.shape}")
        if not np.array_equal(self.decode(), values):
            raise RangeError(f"{name!r} holds other integers than its codebook decodes to")
        object.__setattr__(self, "_held", ref(values))

    def _key(self) -> tuple[Any, ...]:
        scales = None if self.scales is None else self.scales.tobytes()
        shapes = (self.codes.shape, self.tables.shape, self.sharing, self.multiplier, self.tail)
        return (*shapes, self.codes.tobytes(), self.tables.tobytes(), scales)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Codebook) and self._key() == other._key())

    def __hash__(self) -> int:
        return hash((self.codes.shape, self.tables.tobytes(), self.sharing, self.multiplier))

    def __repr__(self) -> str:
        return f"Codebook({self.multiplier}, {self.bits_per_weight:g} bits a weight, tables {self.tables.shape})"


def _signed_bits(values: NDArray[Any]) -> int:
    return 1 + max(int(values.max(initial=0)).bit_length(), (~int(values.min(initial=0))).bit_length())


def _int32(name: str, values: NDArray[Any]) -> NDArray[np.int32]:
    if values.dtype.kind not in "iu" or (values.size and max(int(values.max()), -int(values.min())) >= 1 << 31):
        raise RangeError(f"{name} must be integers within int32")
    return _frozen(values, np.int32)


def _frozen(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    array = np.array(values, dtype)
    array.setflags(write=False)
    return array
