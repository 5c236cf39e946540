"""Products with weights that are codes into tables, formed as the tables' multiplier forms them.

    y[m, n] = sum_k x[m, k] * decode(weights)[n, k]        x[m, k, n] where every output has inputs of its own

| multiplier    | what is computed                                                                        |
|---------------|-----------------------------------------------------------------------------------------|
| multiply      | the products                                                                            |
| shift         | sums of the x whose weights have one exponent, signs applied, shifted by it             |
| shift_add     | the same for every binary digit of the magnitudes                                       |
| sign          | sums where the weight is positive and where it is negative, each times its one value    |
| bit_planes    | for every stage: the sum of all x and the sum where the bit is 1, each times a constant |
| lookup        | width 1: sums by level, each times it; else x times all centroids, read by every output |
| group_rescale | sums over a group times small integers, then one product with the group's scale         |

All integers are int64 or stay exact in the type chosen (`exact_type`); int32 kernels run where a bound allows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph.codebook import Codebook
from refq.numerics.bit_planes import is_binary, pack_bits
from refq.numerics.bit_products import packed_matmul
from refq.numerics.lookup_products import LookupWeights, lookup_matmul
from refq.numerics.matmul import exact_type, magnitude

Ints = NDArray[np.int64]
_FEW_BITS = 4
"""Up to this width, activations meet bit planes of weights as bit planes of their own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodedRows:
    """Coded weights, one row an output.

    codes : (outputs, positions, stages); books : (outputs, positions), the book each reads; inputs : of an output, the
    last group may hold more; tables, scales, multiplier : as of `Codebook`
    """

    codes: NDArray[Any]
    books: Ints
    tables: NDArray[np.int32]
    scales: NDArray[np.int32] | None
    multiplier: str
    inputs: int

    @classmethod
    def of(cls, book: Codebook, axis: int = 0) -> CodedRows:
        """The rows of a codebook whose tensor has its outputs along `axis`; the others are flattened in order.

        Raises
        ------
        ShapeError    codes that name several weights, where the outputs are not in front
        """
        if axis and (book.width > 1 or book.tail is not None):
            raise ShapeError("codes of several weights are rows only where the outputs are the first axis")
        codes, books = np.moveaxis(book.codes, axis, 0), np.moveaxis(book.books(), axis, 0)
        return cls(
            codes=codes.reshape(len(codes), -1, book.stages),
            books=books.reshape(len(books), -1),
            tables=book.tables,
            scales=book.scales,
            multiplier=book.multiplier,
            inputs=int(np.prod(book.shape)) // max(len(codes), 1),
        )

    def outputs(self, first: int, last: int) -> CodedRows:
        """The rows first..last - 1."""
        return replace(self, codes=self.codes[first:last], books=self.books[first:last])

    @property
    def width(self) -> int:
        """Weights a code."""
        return self.tables.shape[3]

    @property
    def stages(self) -> int:
        """Tables that add up."""
        return self.tables.shape[1]

    def decoded(self) -> Ints:
        """The integers, (outputs, inputs)."""
        where = self.books if len(self.tables) > 1 else np.zeros_like(self.books)
        total = np.zeros((*self.codes.shape[:2], self.width), np.int64)
        for stage in range(self.stages):
            total += self.tables[where, stage, self.codes[..., stage]]
        if self.scales is not None:
            total *= self.scales[self.books][..., None]
        return total.reshape(len(total), -1)[:, : self.inputs]


def coded_matmul(x: Any, weights: Codebook | CodedRows) -> Ints:
    """y = x @ decode(weights).T, exactly, without multiplying more than the multiplier allows.

    Parameters
    ----------
    x : integers, zero point subtracted; shape (rows, inputs), or (rows, inputs, outputs) where every output reads
        inputs of its own, as in depthwise convolution
    weights : Codebook, whose tensor's axes behind the first are flattened into inputs, or rows of one

    Returns
    -------
    int64, shape (rows, outputs)

    Raises
    ------
    ShapeError                  x of another width, or not of integers
    AccumulatorOverflowError    sums that int64 cannot hold

    >>> book = Codebook(codes=[[[0], [1]], [[2], [1]]], tables=[[[[-4], [0], [2]]]], multiplier="shift")
    >>> coded_matmul([[3, 5]], book).tolist()
    [[-12, 6]]
    """
    rows = np.asarray(x)
    held = CodedRows.of(weights) if isinstance(weights, Codebook) else weights
    count = len(held.codes)
    fits = rows.ndim == 2 or (rows.ndim == 3 and rows.shape[2] == count and held.width == 1)
    if not fits or rows.shape[1] != held.inputs or rows.dtype.kind not in "iu":
        raise ShapeError(
            f"x of shape {rows.shape} and type {rows.dtype} must be integers (rows, {held.inputs}), or of single "
            f"weights (rows, {held.inputs}, {count})"
        )
    rows = rows.astype(np.int64)
    padding = held.codes.shape[1] * held.width - held.inputs
    rows = np.pad(rows, ((0, 0), (0, padding))) if padding else rows
    y = np.zeros((len(rows), count), np.int64)
    if y.size and rows.size:
        exact_type(magnitude(rows) * _largest_sum(held))
        _PRODUCTS[held.multiplier](rows, held, y)
    return y


def _largest_sum(weights: CodedRows) -> int:
    """A bound of the sum of magnitudes of an output's weights."""
    size = int(np.abs(weights.tables.astype(np.int64)).max(axis=(2, 3)).sum(axis=1).max())
    scale = 1 if weights.scales is None else int(weights.scales.max())
    return size * scale * weights.codes.shape[1] * weights.width


def _matmul(x: Ints, w: NDArray[Any]) -> Ints:
    """x @ w.T, or where every output has inputs of its own the sums of x * w.T, in a type in which it is exact."""
    dtype = exact_type(magnitude(x) * int(np.abs(w).sum(axis=1, dtype=np.int64).max(initial=0)))
    if x.ndim == 3:
        return np.einsum("rko,ok->ro", x.astype(dtype), w.astype(dtype)).astype(np.int64)
    return (x.astype(dtype) @ w.T.astype(dtype)).astype(np.int64)


def _groups(weights: CodedRows) -> Iterator[tuple[Ints, Ints]]:
    """Positions that read the same books, and for every output the number of its book there."""
    _, group = np.unique(weights.books[0], return_inverse=True)
    for number in range(int(group.max()) + 1):
        positions = np.flatnonzero(group == number)
        yield positions, weights.books[:, positions[0]]


def _tables(weights: CodedRows, books: Ints, stage: int = 0) -> Ints:
    """The entries of a stage for every output, scaled: (outputs, levels, width)."""
    rows = weights.tables[books if len(weights.tables) > 1 else np.zeros_like(books), stage].astype(np.int64)
    return rows if weights.scales is None else rows * weights.scales[books][:, None, None]


def _entries(weights: CodedRows, positions: Ints, table: Ints) -> Ints:
    """The entries that the first stage's codes name at single weights: (outputs, positions)."""
    codes = weights.codes[:, positions, 0]
    return np.take_along_axis(table[..., 0], codes.astype(np.int64), axis=1)


def _multiply(x: Ints, weights: CodedRows, y: Ints) -> None:
    y += _matmul(x[:, : weights.inputs], weights.decoded())


def _shift_add(x: Ints, weights: CodedRows, y: Ints) -> None:
    for positions, books in _groups(weights):
        entries = _entries(weights, positions, _tables(weights, books))
        size, sign = np.abs(entries), np.sign(entries)
        for digit in range(int(size.max()).bit_length()):
            has_digit = size >> digit & 1
            if has_digit.any():
                y += _matmul(x[:, positions], sign * has_digit) << digit


def _sign(x: Ints, weights: CodedRows, y: Ints) -> None:
    for positions, books in _groups(weights):
        part, table = x[:, positions], _tables(weights, books)
        sign = np.sign(_entries(weights, positions, table))
        plus, minus = table.max(axis=(1, 2)).clip(min=0), -table.min(axis=(1, 2)).clip(max=0)
        if np.array_equal(plus, minus):
            both = part.ndim == 2 and is_binary(part) and is_binary(sign)
            y += (packed_matmul(pack_bits(part), pack_bits(sign)) if both else _matmul(part, sign)) * plus
        else:
            y += _matmul(part, sign > 0) * plus - _matmul(part, sign < 0) * minus


def _bit_planes(x: Ints, weights: CodedRows, y: Ints) -> None:
    codes = weights.codes
    low, high = int(x.min()), int(x.max())
    bits = max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1
    for positions, books in _groups(weights):
        part = x[:, positions]
        total, packed = part.sum(axis=1, keepdims=part.ndim == 2), None
        if part.ndim == 2 and is_binary(part):
            packed = pack_bits(part)
        elif part.ndim == 2 and bits <= _FEW_BITS:
            packed = pack_bits(part, "signed", bits)
        for stage in range(weights.stages):
            table = _tables(weights, books, stage)[..., 0]
            off, on, bit = table[:, 0], table[:, 1], codes[:, positions, stage]
            if packed is not None and np.array_equal(off, -on):  # sum of x times signs: planes against planes
                y += packed_matmul(packed, pack_bits(2 * bit.astype(np.int8) - 1)).astype(np.int64) * on
            else:
                y += total * off + _matmul(part, bit) * (on - off)


def _lookup(x: Ints, weights: CodedRows, y: Ints) -> None:
    if weights.width == 1:
        _by_level(x, weights, y)
        return
    codes, books = weights.codes, weights.books
    by_position = not np.any(books != books[:1])
    if by_position and magnitude(x) * _largest_sum(weights) < 1 << 31:
        first = books[0] if len(weights.tables) > 1 else np.zeros_like(books[0])
        tables = weights.tables[first] * (
            1 if weights.scales is None else weights.scales[books[0]][:, None, None, None]
        )
        y += lookup_matmul(x.astype(np.int32), LookupWeights(codes, tables))
        return
    for position in range(codes.shape[1]):
        part = x[:, position * weights.width : (position + 1) * weights.width]
        for book in np.unique(books[:, position]):
            outputs = np.flatnonzero(books[:, position] == book)
            for stage in range(weights.stages):
                products = part @ _tables(weights, np.array([book]), stage)[0].T  # (rows, levels)
                y[:, outputs] += products[:, codes[outputs, position, stage]]


def _by_level(x: Ints, weights: CodedRows, y: Ints) -> None:
    codes = weights.codes
    for positions, books in _groups(weights):
        for stage in range(weights.stages):
            table, found = _tables(weights, books, stage)[..., 0], codes[:, positions, stage]
            for level in np.unique(found):
                y += _matmul(x[:, positions], found == level) * table[:, level]


def _group_rescale(x: Ints, weights: CodedRows, y: Ints) -> None:
    codes = weights.codes
    width = weights.width
    for positions, books in _groups(weights):
        table = weights.tables[books if len(weights.tables) > 1 else np.zeros_like(books)]  # (O, stages, levels, width)
        small = np.zeros((len(codes), len(positions), width), np.int64)
        for stage in range(weights.stages):
            small += table[np.arange(len(codes))[:, None], stage, codes[:, positions, stage]]
        columns = (positions[:, None] * width + np.arange(width)).reshape(-1)
        scale = np.ones(1, np.int64) if weights.scales is None else weights.scales[books].astype(np.int64)
        y += _matmul(x[:, columns], small.reshape(len(codes), -1)) * scale


_PRODUCTS: dict[str, Callable[[Ints, CodedRows, Ints], None]] = {
    "multiply": _multiply,
    "shift": _shift_add,
    "shift_add": _shift_add,
    "sign": _sign,
    "bit_planes": _bit_planes,
    "lookup": _lookup,
    "group_rescale": _group_rescale,
}
