"""Canonical Huffman coding of integer codes."""

from __future__ import annotations

import heapq
import struct
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, RangeError
from refq.graph import Codebook

LONGEST = 56
"""Bits of a code word: data of fewer than 2**38 codes never needs more."""

_MAGIC = b"RQH1"
_HEADER = struct.Struct("<4sBiIQ")
_DTYPES = ("u1", "i1", "u2", "i2", "i4", "u4", "i8", "u8")
_CHUNK_BITS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HuffmanCode:
    """Code words by their lengths: words of one length are consecutive numbers in the order of the symbols.

        word[0] = 0,   word[i + 1] = (word[i] + 1) << (length[i + 1] - length[i]),   sorted by (length, symbol)

    Parameters
    ----------
    lengths : int, shape (symbols,), 0 for a symbol without a word; 1..56 bits otherwise

    Raises
    ------
    RangeError    lengths that are those of no complete prefix code (sum of 2**-length is not 1); one symbol alone has
        length 1

    Notes
    -----
    Huffman 1952; canonical words: Schwartz and Kallick 1964. Han et al. 2016, section 4.
    """

    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        lengths = np.array(self.lengths, np.int64)
        used = lengths[lengths != 0]
        if lengths.ndim != 1 or np.any((lengths < 0) | (lengths > LONGEST)):
            raise RangeError(f"lengths must be a vector of 0..{LONGEST}")
        kraft = sum(int(n) << (LONGEST - length) for length, n in enumerate(np.bincount(used)) if length and n)
        if not (len(used) == 0 or (len(used) == 1 and used[0] == 1) or kraft == 1 << LONGEST):
            raise RangeError(f"lengths are no complete prefix code: sum of 2**-length is {kraft / 2.0**LONGEST}")
        lengths.setflags(write=False)
        object.__setattr__(self, "lengths", lengths)

    @classmethod
    def of_counts(cls, counts: Any) -> HuffmanCode:
        """The shortest prefix code for symbols that occur so often.

        Parameters
        ----------
        counts : int >= 0, shape (symbols,); a symbol that does not occur gets no word
        """
        numbers = [int(n) for n in np.asarray(counts).tolist()]
        if any(n < 0 for n in numbers):
            raise RangeError(f"counts={min(numbers)} must not be negative")
        heap = [(n, symbol, symbol) for symbol, n in enumerate(numbers) if n]
        lengths = np.zeros(len(numbers), np.int64)
        if len(heap) == 1:
            lengths[heap[0][1]] = 1
            return cls(lengths=lengths)
        heapq.heapify(heap)
        parent: dict[int, int] = {}
        following = len(numbers)
        while len(heap) > 1:
            first, second = heapq.heappop(heap), heapq.heappop(heap)
            parent[first[2]] = parent[second[2]] = following
            heapq.heappush(heap, (first[0] + second[0], following, following))
            following += 1
        depth = {following - 1: 0}
        for node in sorted(parent, reverse=True):  # parents have higher numbers than children
            depth[node] = depth[parent[node]] + 1
            if node < len(numbers):
                lengths[node] = depth[node]
        if lengths.max(initial=0) > LONGEST:
            raise RangeError(f"a code word of {lengths.max()} bits exceeds {LONGEST}; counts are too uneven")
        return cls(lengths=lengths)

    def words(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(symbols, words) in the canonical order."""
        order = np.lexsort((np.arange(len(self.lengths)), self.lengths))
        symbols = order[self.lengths[order] > 0]
        words, word, before = np.zeros(len(symbols), np.int64), -1, 0
        for i, length in enumerate(self.lengths[symbols].tolist()):
            word = (word + 1) << (length - before)
            words[i], before = word, length
        return symbols, words

    def encode(self, symbols: NDArray[np.int64]) -> bytes:
        """The words of symbols one after the other, the highest bit first, zeros up to a whole byte.

        Raises
        ------
        RangeError    a symbol without a word
        """
        if symbols.size and (symbols.min() < 0 or symbols.max() >= len(self.lengths)):
            raise RangeError(f"symbols in [{symbols.min()}, {symbols.max()}] must lie in 0..{len(self.lengths) - 1}")
        length = self.lengths[symbols]
        if np.any(length == 0):
            raise RangeError(f"symbol={symbols[length == 0][0]} has no word in this code")
        ordered, words = self.words()
        table = np.zeros(len(self.lengths), np.int64)
        table[ordered] = words
        word = table[symbols]
        start = np.cumsum(length) - length
        bits = np.zeros(int(length.sum()), np.uint8)
        for i in range(int(length.max(initial=0))):
            has = length > i
            bits[start[has] + i] = word[has] >> (length[has] - 1 - i) & 1
        return np.packbits(bits).tobytes()

    def decode(self, data: bytes, count: int) -> NDArray[np.int64]:
        """The first `count` symbols.

        Raises
        ------
        LoadError    data that end before, or bits that are no word
        """
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        if count > len(bits) or (count and not np.any(self.lengths)):
            raise LoadError(f"{len(bits)} bits cannot hold {count} code words")
        ordered, words = self.words()
        longest = int(self.lengths.max(initial=0))
        lengths = self.lengths[ordered]
        first = words << (longest - lengths)
        found, at = list[int](), 0
        while len(found) < count:
            if at >= len(bits):
                raise LoadError(f"the data end after {len(found)} of {count} code words")
            window = np.zeros(min(_CHUNK_BITS, len(bits) - at), np.int64)
            part = np.pad(bits[at : at + len(window) + longest], (0, longest)).astype(np.int64)
            for i in range(longest):
                window = window << 1 | part[i : i + len(window)]
            places = np.searchsorted(first, window, side="right") - 1
            step, names = lengths[places].tolist(), places.tolist()
            inside, size = 0, len(window)
            while inside < size and len(found) < count:
                found.append(names[inside])
                inside += step[inside]
            at += inside
        if at > len(bits):
            raise LoadError(f"the data end inside code word {count}")
        if len(ordered) == 1 and np.any(bits[:count]):
            raise LoadError("a bit is set in data of a single symbol")
        return ordered[np.array(found, np.int64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HuffmanReport:
    """Sizes of coded data.

    Parameters
    ----------
    count : codes
    payload_bits : bits of their words
    table_bytes : bytes of header and word lengths
    entropy_bits : entropy of a code in bits, the least any prefix code can take on average
    """

    count: int
    payload_bits: int
    table_bytes: int
    entropy_bits: float

    @property
    def bits_per_code(self) -> float:
        """Words alone; between the entropy and the entropy plus 1 (plus 1 bit where only one symbol occurs)."""
        return self.payload_bits / self.count if self.count else 0.0

    @property
    def total_bits_per_code(self) -> float:
        """Words and table."""
        return (self.payload_bits + 8 * self.table_bytes) / self.count if self.count else 0.0


def huffman_encode(codes: Any) -> bytes:
    """Codes of any shape as bytes: a header, the word lengths of the values between the extremes, the words.

    Parameters
    ----------
    codes : integers that span at most 65536 values; the order is C, the shape is not kept

    Raises
    ------
    RangeError    codes that are no integers, or span more values

    >>> data = huffman_encode(np.array([3, 3, -1, 3], np.int8))
    >>> huffman_decode(data).tolist(), huffman_decode(data).dtype.name
    ([3, 3, -1, 3], 'int8')
    """
    array, low, counts = _symbols(codes)
    code = HuffmanCode.of_counts(counts)
    kind = _DTYPES.index(np.asarray(codes).dtype.str[1:])
    head = _HEADER.pack(_MAGIC, kind, low, len(counts), array.size)
    return head + code.lengths.astype(np.uint8).tobytes() + code.encode(array)


def huffman_decode(data: bytes) -> NDArray[Any]:
    """The codes of `huffman_encode`, as a vector of their type.

    Raises
    ------
    LoadError    bytes that `huffman_encode` did not write; memory stays in proportion to their number
    """
    if len(data) < _HEADER.size or data[:4] != _MAGIC:
        raise LoadError("the data are no Huffman codes: they do not begin as such")
    _, kind, low, symbols, count = _HEADER.unpack_from(data)
    payload = data[_HEADER.size + symbols :]
    if kind >= len(_DTYPES) or symbols > 1 << 16 or len(data) < _HEADER.size + symbols:
        raise LoadError(f"the data are no Huffman codes: {symbols} word lengths in {len(data)} bytes")
    try:
        code = HuffmanCode(lengths=np.frombuffer(data, np.uint8, symbols, _HEADER.size).astype(np.int64))
    except RangeError as error:
        raise LoadError(f"the data are no Huffman codes: {error}") from error
    limits = np.iinfo(_DTYPES[kind])
    if symbols and not (limits.min <= low and low + symbols - 1 <= limits.max):
        raise LoadError(f"the data are no Huffman codes: values from {low} do not fit {_DTYPES[kind]}")
    return (code.decode(payload, count) + low).astype(_DTYPES[kind])


def huffman_report(codes: Any) -> HuffmanReport:
    """What coding `codes` costs, and what it must cost at least.

    entropy = -sum_k p_k log2 p_k
    """
    array, _, counts = _symbols(codes)
    share = counts[counts > 0] / max(array.size, 1)
    return HuffmanReport(
        count=array.size,
        payload_bits=int((HuffmanCode.of_counts(counts).lengths * counts).sum()),
        table_bytes=_HEADER.size + len(counts),
        entropy_bits=float(-(share * np.log2(share)).sum()) + 0.0,
    )


def _symbols(codes: Any) -> tuple[NDArray[np.int64], int, NDArray[np.int64]]:
    """Codes from 0, the lowest one, and how often each value occurs."""
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise RangeError(f"codes of type {array.dtype} must be integers")
    if not array.size:
        return np.zeros(0, np.int64), 0, np.zeros(0, np.int64)
    low, high = int(array.min()), int(array.max())
    if high - low >= 1 << 16 or not -(1 << 31) <= low < 1 << 31:
        raise RangeError(f"codes in [{low}, {high}] must span at most 65536 values of 32 bits")
    symbols = array.reshape(-1).astype(np.int64) - low
    return symbols, low, np.bincount(symbols, minlength=high - low + 1)


def huffman_bits(counts: Any) -> float:
    """Mean length of the words of the shortest prefix code: sum_c n_c length_c / sum_c n_c, 0 of no symbols.

    Parameters
    ----------
    counts : int >= 0, shape (symbols,)

    >>> huffman_bits([2, 1, 1])
    1.5
    """
    numbers = np.asarray(counts, np.int64)
    return float((numbers * HuffmanCode.of_counts(numbers).lengths).sum() / max(int(numbers.sum()), 1))


def huffman_bits_per_weight(book: Codebook) -> float:
    """Bits a weight of a codebook's codes under one Huffman code for the tensor, tables left out.

    Notes
    -----
    Han et al. 2016, section 4.
    """
    codes = np.bincount(book.codes.reshape(-1))
    return huffman_bits(codes) * book.codes.size / max(prod(book.shape), 1)
