"""Rows of A in the form an instruction multiplies, copied a block at a time into a buffer that stays in cache."""

from __future__ import annotations

import numpy as np
from numba import carray  # pyright: ignore[reportPrivateImportUsage]

from refq.kernels.compiled import compiled
from refq.kernels.intrinsics import pointer

IN_PLACE, BYTES, SIGNED_BYTES, UNSIGNED_BYTES, HALVES = range(5)
"""Ways to take A: as it stands; bytes copied; bytes as int16, from int8 or from uint8; int16 copied."""


@compiled
def take_rows(source, a, a_stride, rows, count, out, out_stride):
    """Copy `count` elements of each row; a, out are addresses, strides in bytes, source is not IN_PLACE."""
    for i in range(rows):
        row, place = pointer(a + i * a_stride), pointer(out + i * out_stride)
        if source == BYTES:
            taken, given = carray(row, count, np.uint8), carray(place, count, np.uint8)
            for j in range(count):
                given[j] = taken[j]
        elif source == SIGNED_BYTES:
            signed, wide = carray(row, count, np.int8), carray(place, count, np.int16)
            for j in range(count):
                wide[j] = signed[j]
        elif source == UNSIGNED_BYTES:
            unsigned, wide = carray(row, count, np.uint8), carray(place, count, np.int16)
            for j in range(count):
                wide[j] = unsigned[j]
        else:
            halves, wide = carray(row, count, np.int16), carray(place, count, np.int16)
            for j in range(count):
                wide[j] = halves[j]


@compiled
def start_tile(row_terms, column_terms, rows, out, out_stride, width):
    """out[i, j] = row_terms[i] + column_terms[j]; addresses of int32, column_terms may be 0 for none."""
    terms = carray(pointer(row_terms), rows, np.int32)
    for i in range(rows):
        row = carray(pointer(out + i * out_stride), width, np.int32)
        if column_terms != 0:
            columns = carray(pointer(column_terms), width, np.int32)
            for j in range(width):
                row[j] = terms[i] + columns[j]
        else:
            row[:] = terms[i]
