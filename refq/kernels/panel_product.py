"""A times a packed B: how A is taken, what corrects the operands' signs, and which thread does what."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.kernels.blocked_product import product_kernel
from refq.kernels.intrinsics import DOTS
from refq.kernels.packing import Panels, address
from refq.kernels.row_taking import BYTES, HALVES, IN_PLACE, SIGNED_BYTES, UNSIGNED_BYTES
from refq.kernels.sharing import share

FLIP_SIGNS = 0x80808080

ROW_STEP = 12
"""Threads share rows in multiples of this, a multiple of every block's rows."""

WORTH_A_THREAD = 1 << 26
"""Multiplications that take longer, about 120 microseconds, than starting a thread, about 40."""

_INT8 = np.dtype(np.int8)
_INT16 = np.dtype(np.int16)


def multiply(a: NDArray[Any], b: Panels, c: NDArray[np.int32], threads: int = 1) -> None:
    """Write a @ b, modulo 2**32, into the C-contiguous c.

    Notes
    -----
    The 8-bit instructions multiply unsigned a' by signed b'. With a = a' - s and b = b' + t, where s = 128 for int8
    rows and t = 128 for uint8 columns, else 0:

        sum a b = sum a' b' - s * sum b' + t * sum a

    The second term is one number a column, known when b is packed; the third is one a row. Flipping the bit of 128
    makes a' of a; the register block does it to the words it has just spread, on units that the products leave idle.
    """
    dot = DOTS[b.dot]
    m, k = a.shape
    if k > 1 and a.strides[1] != a.itemsize:
        a = np.ascontiguousarray(a)
    flip, columns_at, rows_at = 0, 0, 0
    if dot.elements == 4 and a.dtype == _INT8:
        flip, columns_at = FLIP_SIGNS, b.column_terms_at
    if b.offset:
        row_terms = a.sum(axis=1, dtype=np.int32) * np.int32(b.offset)
        rows_at = address(row_terms)
    taken = (a.strides[0], a.itemsize, _taking(a, dot.elements), flip, k)
    a_at, a_stride, c_at, c_stride = address(a), a.strides[0], address(c), c.strides[0]

    def part(low: int, high: int, vectors: int, panel0: int, panel1: int, first: int, used: int) -> None:
        width = vectors * dot.lanes
        column = first + panel0 * width
        product_kernel(b.dot, vectors)(
            a_at + low * a_stride,
            *taken,
            b.words_at + column * b.depth,
            panel1 - panel0,
            rows_at and rows_at + 4 * low,
            columns_at and columns_at + 4 * column,
            c_at + low * c_stride + 4 * column,
            c_stride,
            high - low,
            min(used - panel0 * width, (panel1 - panel0) * width),
        )

    def rows(low: int, high: int) -> None:
        for vectors, panels, first, used in b.parts:
            part(low, high, vectors, 0, panels, first, used)

    def columns(low: int, high: int) -> None:
        before = 0
        for vectors, panels, first, used in b.parts:
            panel0, panel1 = max(low - before, 0), min(high - before, panels)
            if panel0 < panel1:
                part(0, m, vectors, panel0, panel1, first, used)
            before += panels

    threads = min(threads, 1 + m * k * b.n // WORTH_A_THREAD)
    if threads == 1:
        rows(0, m)
    elif m >= 2 * ROW_STEP * threads:
        share(threads, m, ROW_STEP, rows)
    else:
        share(threads, sum(panels for _, panels, _, _ in b.parts), 1, columns)


def _taking(a: NDArray[Any], elements: int) -> int:
    """How the kernel takes these rows."""
    if elements == 4:
        return BYTES if a.shape[1] % 4 else IN_PLACE
    if a.dtype == _INT16:
        return HALVES if a.shape[1] % 2 else IN_PLACE
    return SIGNED_BYTES if a.dtype == _INT8 else UNSIGNED_BYTES
