"""Bit planes: codes of few bits, 64 to a word.

    value = offset + sum_i weight_i * plane_i

| grid     | codes                | planes, weights           | offset |
|----------|----------------------|---------------------------|--------|
| binary   | -1, 1                | negative: -2              | 1      |
| ternary  | -1, 0, 1             | nonzero: 1, negative: -2  | 0      |
| unsigned | 0 .. 2**bits - 1     | bit i: 2**i               | 0      |
| signed   | two's complement     | bit i: 2**i, the top one negative | 0 |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Grid = Literal["binary", "ternary", "unsigned", "signed"]
Words = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedBits:
    """Rows of codes as bit planes.

    Parameters
    ----------
    planes : uint64, shape (planes, rows, ceil(depth / 64))     code 64 i + j is bit j of word i; 0 past `depth`
    depth : int       codes a row
    grid : binary, ternary, unsigned or signed
    """

    planes: Words
    depth: int
    grid: Grid

    def __len__(self) -> int:
        return self.planes.shape[1]

    @property
    def offset(self) -> int:
        """What every code is before any plane is added."""
        return int(self.grid == "binary")

    @property
    def weights(self) -> tuple[int, ...]:
        """What a 1 adds, by plane."""
        if self.grid in ("binary", "ternary"):
            return (-2,) if self.grid == "binary" else (1, -2)
        powers = [1 << i for i in range(len(self.planes))]
        return (*powers[:-1], -powers[-1] if self.grid == "signed" else powers[-1])

    @property
    def largest(self) -> int:
        """Largest magnitude a code of this grid can have."""
        bits = len(self.planes)
        return {"unsigned": (1 << bits) - 1, "signed": 1 << (bits - 1)}.get(self.grid, 1)

    @cached_property
    def totals(self) -> NDArray[np.int64]:
        """The sum of each row's codes, offset left out: shape (rows,)."""
        ones = np.unpackbits(self.planes.view(np.uint8), axis=-1).sum(axis=-1, dtype=np.int64)
        return np.asarray(np.array(self.weights, np.int64) @ ones, np.int64)

    def as_ternary(self) -> PackedBits:
        """A binary matrix with its plane of nonzero codes, which is full up to `depth`."""
        if self.grid == "ternary":
            return self
        full = _words_of(np.ones((1, self.depth), np.bool_))
        nonzero = np.broadcast_to(full, self.planes.shape)
        return PackedBits(planes=np.concatenate([nonzero, self.planes]), depth=self.depth, grid="ternary")

    @cached_property
    def panels(self) -> Words:
        """Right operand of a product: (planes, panels, words, 32 or 8 rows), from an address divisible by 64."""
        count, rows, words = self.planes.shape
        width = 32 if rows > 16 else 8
        full = np.zeros((count, -(-rows // width) * width, words), np.uint64)
        full[:, :rows] = self.planes
        blocks = full.reshape(count, -1, width, words).swapaxes(2, 3)
        panels = _aligned(blocks.shape)
        panels[...] = blocks
        return panels

    def unpack(self) -> NDArray[np.int32]:
        """The codes, shape (rows, depth)."""
        bits = np.unpackbits(self.planes.view(np.uint8), axis=-1, bitorder="little")[..., : self.depth]
        codes: NDArray[np.int32] = np.tensordot(np.array(self.weights, np.int32), bits.astype(np.int32), 1)
        return codes + np.int32(self.offset)


def _aligned(shape: tuple[int, ...]) -> Words:
    count = int(np.prod(shape))
    space = np.empty(count + 8, np.uint64)
    start = -(space.ctypes.data // 8) % 8
    return space[start : start + count].reshape(shape)


def _words_of(bits: NDArray[np.bool_]) -> Words:
    """(rows, depth) booleans as (rows, words)."""
    rows, depth = bits.shape
    words = np.zeros((rows, -(-depth // 64)), np.uint64)
    words.view(np.uint8)[:, : -(-depth // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return words


def pack_bits(codes: Any, grid: Grid = "binary", bits: int = 1) -> PackedBits:
    """Pack the rows of a matrix of codes.

    Parameters
    ----------
    codes : integers, shape (..., depth)      leading axes are flattened into rows
    grid : binary, ternary, unsigned or signed
    bits : int in 1..8                        of unsigned and signed codes

    Raises
    ------
    RangeError    a code that the grid does not have
    ShapeError    codes without an axis to pack, or not of an integer type

    >>> pack_bits([[1, -1, -1]]).planes.tolist()
    [[[6]]]
    """
    array = np.asarray(codes)
    if array.ndim < 1 or array.dtype.kind not in "iu":
        raise ShapeError(f"codes of shape {array.shape} and type {array.dtype} must be integers with at least one axis")
    depth = array.shape[-1]
    rows = array.reshape(-1, depth) if depth else array.reshape(int(np.prod(array.shape[:-1])), 0)
    _check(rows, grid, bits)
    if grid == "binary":
        planes = [_words_of(rows < 0)]
    elif grid == "ternary":
        planes = [_words_of(rows != 0), _words_of(rows < 0)]
    else:
        pattern = rows.view(f"u{rows.itemsize}")  # two's complement as it is stored
        planes = [_words_of((pattern & (1 << i)) != 0) for i in range(bits)]
    return PackedBits(planes=np.stack(planes), depth=depth, grid=grid)


def is_binary(codes: NDArray[Any]) -> bool:
    """Whether there are codes and all are -1 or 1; wider codes are told from their extremes."""
    if not codes.size or int(codes.min()) < -1 or int(codes.max()) > 1:
        return False
    return np.count_nonzero(codes) == codes.size


def _check(rows: NDArray[Any], grid: Grid, bits: int) -> None:
    if grid not in ("binary", "ternary", "unsigned", "signed"):
        raise RangeError(f"grid={grid!r} is not one of binary, ternary, unsigned, signed")
    if not 1 <= bits <= 8:
        raise RangeError(f"bits={bits} is outside 1..8; wider codes belong to an 8-bit or 16-bit product")
    low, high = (-1, 1) if grid in ("binary", "ternary") else (0, (1 << bits) - 1)
    if grid == "signed":
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if not rows.size:
        return
    smallest, largest = int(rows.min()), int(rows.max())
    if smallest < low or largest > high:
        worst = smallest if smallest < low else largest
        raise RangeError(f"code={worst} is outside [{low}, {high}] of the {grid} grid; quantize to that grid first")
    if grid == "binary" and not is_binary(rows):
        raise RangeError("code=0 is not on the binary grid of -1 and 1; use grid='ternary'")
