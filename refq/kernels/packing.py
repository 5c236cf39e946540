"""B in the order in which the register block reads it: [panel][word][columns * lanes] 32-bit words.

A word holds 4 successive k of one column as bytes, or 2 as int16. The last panel is as narrow as its columns allow.
Unsigned bytes are stored less 128, the instruction's signed operand; the product adds 128 * row sums of A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import carray  # pyright: ignore[reportPrivateImportUsage]
from numpy.typing import NDArray

from refq.kernels.blocked_product import widest
from refq.kernels.compiled import compiled
from refq.kernels.intrinsics import DOTS, pointer

ALIGNMENT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """A packed B, for one instruction."""

    words: NDArray[np.uint32]
    column_terms: NDArray[np.int32]
    """What a product by int8 rows starts from: -128 * sums of the columns as stored, modulo 2**32."""
    offset: int
    """What stands in front of every stored code: b = stored + offset."""
    dot: int
    k: int
    n: int
    parts: list[tuple[int, int, int, int]]
    """The runs of panels of one width: vectors in a row, panels, first column, columns really used."""
    depth: int
    """Bytes of a packed column."""
    words_at: int
    column_terms_at: int


def panel_parts(dot: int, n: int) -> list[tuple[int, int, int, int]]:
    """How n columns are cut into panels; see `Panels`."""
    lanes, columns = DOTS[dot].lanes, widest(dot)
    full, left = divmod(n, lanes * columns)
    narrow = next(c for c in (1, 2, 4) if left <= c * lanes)
    parts = []
    if narrow == columns and left:
        full, left = full + 1, 0
    if full:
        parts.append((columns, full, 0, min(n, full * lanes * columns)))
    if left:
        parts.append((narrow, 1, full * lanes * columns, left))
    return parts


def aligned(count: int, dtype: Any) -> NDArray[Any]:
    """An uninitialised vector that starts on a cache line."""
    size = count * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype)


def address(array: NDArray[Any]) -> int:
    """Where an array's first element stands."""
    return array.__array_interface__["data"][0]


@compiled
def pack_bytes(b, k_stride, n_stride, k, n, flip, width, panels, words, sums):
    """Words of 4 bytes, `flip` changing the sign bit of unsigned ones; b is an address, strides in bytes."""
    count = (k + 3) // 4
    mask = np.uint32(0x80808080) if flip else np.uint32(0)
    place = 0
    for p in range(panels):
        used = min(n - p * width, width)
        total = sums[p * width : (p + 1) * width]
        total[:] = 0
        for w in range(count):
            out = words[place : place + width]
            place += width
            inside = min(k - 4 * w, 4)
            at = b + 4 * w * k_stride + p * width * n_stride
            if inside == 4 and n_stride == 1:
                r0 = carray(pointer(at), used, np.uint8)
                r1 = carray(pointer(at + k_stride), used, np.uint8)
                r2 = carray(pointer(at + 2 * k_stride), used, np.uint8)
                r3 = carray(pointer(at + 3 * k_stride), used, np.uint8)
                for j in range(used):
                    low = np.uint32(r0[j]) | np.uint32(r1[j]) << np.uint32(8)
                    high = np.uint32(r2[j]) << np.uint32(16) | np.uint32(r3[j]) << np.uint32(24)
                    out[j] = (low | high) ^ mask
            elif inside == 4 and k_stride == 1:
                for j in range(used):
                    out[j] = carray(pointer(at + j * n_stride), 1, np.uint32)[0] ^ mask
            else:
                for j in range(used):
                    word = np.uint32(0)
                    for e in range(inside):
                        byte = carray(pointer(at + e * k_stride + j * n_stride), 1, np.uint8)[0]
                        word |= np.uint32(byte ^ np.uint8(mask & np.uint32(255))) << np.uint32(8 * e)
                    out[j] = word
            out[used:] = 0
            for j in range(used):
                word = np.int32(out[j])
                total[j] += (np.int32(word << 24) >> 24) + (np.int32(word << 16) >> 24)
                total[j] += (np.int32(word << 8) >> 24) + (word >> 24)


@compiled
def pack_halves(b, k_stride, n_stride, k, n, signed, width, panels, words):
    """Words of 2 int16 from bytes; b is an address, strides in bytes."""
    count = (k + 1) // 2
    sign = np.uint32(0x80) if signed else np.uint32(0)
    place = 0
    for p in range(panels):
        used = min(n - p * width, width)
        for w in range(count):
            out = words[place : place + width]
            place += width
            at = b + 2 * w * k_stride + p * width * n_stride
            if n_stride == 1:
                r0 = carray(pointer(at), used, np.uint8)
                for j in range(used):
                    out[j] = ((np.uint32(r0[j]) ^ sign) - sign) & np.uint32(0xFFFF)
                if 2 * w + 1 < k:
                    r1 = carray(pointer(at + k_stride), used, np.uint8)
                    for j in range(used):
                        out[j] |= ((np.uint32(r1[j]) ^ sign) - sign) << np.uint32(16)
            else:
                for j in range(used):
                    first = carray(pointer(at + j * n_stride), 1, np.uint8)[0]
                    word = ((np.uint32(first) ^ sign) - sign) & np.uint32(0xFFFF)
                    if 2 * w + 1 < k:
                        second = carray(pointer(at + j * n_stride + k_stride), 1, np.uint8)[0]
                        word |= ((np.uint32(second) ^ sign) - sign) << np.uint32(16)
                    out[j] = word
            out[used:] = 0


def pack(b: NDArray[Any], dot: int) -> Panels:
    """Pack an int8 or uint8 matrix (K, N), of any strides, for one of the instructions."""
    k, n = b.shape
    lanes, elements = DOTS[dot].lanes, DOTS[dot].elements
    rows = -(-k // elements)
    parts = panel_parts(dot, n)
    columns = sum(vectors * panels * lanes for vectors, panels, _, _ in parts)
    words = aligned(columns * rows, np.uint32)
    sums = np.zeros(columns, np.int32)
    unsigned = b.dtype == np.uint8
    for vectors, panels, first, used in parts:
        width = vectors * lanes
        source = address(b) + first * b.strides[1]
        target = words[first * rows : (first + panels * width) * rows]
        shape = (*b.strides, k, used)
        if elements == 4:
            pack_bytes(source, *shape, unsigned, width, panels, target, sums[first : first + panels * width])
        else:
            pack_halves(source, *shape, not unsigned, width, panels, target)
    column_terms = sums * np.int32(-128)
    return Panels(
        words=words,
        column_terms=column_terms,
        offset=128 if unsigned and elements == 4 else 0,
        dot=dot,
        k=k,
        n=n,
        parts=parts,
        depth=4 * rows,
        words_at=address(words),
        column_terms_at=address(column_terms),
    )
