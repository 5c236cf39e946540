"""C = A B over packed panels of B: the loop nest around the register block, one compiled kernel a block shape.

    for 48 rows of A                                  48 x 512 words, 96 KB, stay in the L2 cache, and their part of C
        for 512 words (2048 bytes) of K               one slice of a panel of B, 128 KB, in L2
            convert the rows to what the instruction takes, if they are not so already
            for each panel of B                       64 columns
                for 6 rows of the 48                  6 x 512 words of A, 12 KB, in L1; B streams past them from L2
                    register block over the 512 words

                      B[word][0:16]  [16:32]  [32:48]  [48:64]        4 loads of 64 bytes
        A[i    ][word]   acc00        acc01    acc02    acc03
        A[i + 1][word]   acc10        acc11    acc12    acc13         each A word is one broadcast load, used 4 times;
          ...             ...          ...      ...      ...          each load of B is used 6 times
        A[i + 5][word]   acc50        acc51    acc52    acc53

Why 6 x 4: 24 products need 10 loads, below the two loads a cycle that two products a cycle leave room for. The 24
accumulators hide the latency of 4 to 5 cycles (10 would do); with 4 operands, a broadcast and the bits to flip they
fill 30 of 32 registers. Processors with 16 registers of 8 lanes get 6 x 2. Narrow matrices, and the last panel of a
ragged one, get fewer columns and more rows.
48 rows: a multiple of every row count. 512 words: C is read and written once in 2048 bytes of K; with 256 words and 192
rows, the same memory, 2048 x 2048 x 2048 ran at 92 % of the speed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray  # pyright: ignore[reportPrivateImportUsage]

from refq.kernels.compiled import compiled
from refq.kernels.intrinsics import DOTS, pointer, product_block
from refq.kernels.row_taking import IN_PLACE, start_tile, take_rows

ROW_BLOCK = 48
WORD_BLOCK = 512


def widest(dot: int) -> int:
    """Vectors in a row of a full panel."""
    return 4 if DOTS[dot].lanes == 16 else 2


def row_count(dot: int, columns: int) -> int:
    """Rows of the register block: as many accumulators as leave registers for the operands."""
    return 6 if columns == widest(dot) else 12


@cache
def product_kernel(dot: int, columns: int) -> Any:
    """The kernel for panels of `columns` vectors.

        product(a, a_stride, a_size, source, flip, k, b, panels, row_terms, column_terms, c, c_stride, m, n)

    a, b, c, row_terms, column_terms : addresses; strides in bytes
    a_size, source : bytes of an element of A, and how its rows are taken
    flip : bits to flip in each word of A, by instructions on bytes
    b : [panel][word][columns * lanes] words, aligned to 64, zero beyond k
    row_terms, column_terms : int32 (m,) and (panels * columns * lanes,), added to every row and column; 0 if absent
    c : int32 (m, n), overwritten; n > (panels - 1) * columns * lanes
    """
    ELEMENTS = DOTS[dot].elements
    WIDTH = DOTS[dot].lanes * columns
    ROWS = row_count(dot, columns)

    @compiled
    def product(a, a_stride, a_size, source, flip, k, b, panels, row_terms, column_terms, c, c_stride, m, n):
        words = (k + ELEMENTS - 1) // ELEMENTS
        copied = np.empty(ROW_BLOCK * min(words, WORD_BLOCK) if source != IN_PLACE else 0, np.uint32)
        ragged = n < panels * WIDTH
        tile = np.empty((min(m, ROW_BLOCK) if ragged else 0, WIDTH), np.int32)
        for i0 in range(0, m, ROW_BLOCK):
            rows = min(m - i0, ROW_BLOCK)
            for word0 in range(0, words, WORD_BLOCK):
                depth = min(words - word0, WORD_BLOCK)
                rows_at, stride = a + i0 * a_stride + word0 * ELEMENTS * a_size, a_stride
                if source != IN_PLACE:
                    count = min(depth * ELEMENTS, k - word0 * ELEMENTS)
                    take_rows(source, rows_at, a_stride, rows, count, copied.ctypes.data, depth * 4)
                    rows_at, stride = copied.ctypes.data, depth * 4
                for p in range(panels):
                    in_tile = ragged and p == panels - 1
                    c_at, out_stride = c + i0 * c_stride + p * WIDTH * 4, c_stride
                    if in_tile:
                        c_at, out_stride = tile.ctypes.data, WIDTH * 4
                    terms = column_terms + p * WIDTH * 4 if column_terms != 0 else 0
                    start, start_stride = terms, 0
                    if word0 == 0 and row_terms != 0:
                        start_tile(row_terms + i0 * 4, terms, rows, c_at, out_stride, WIDTH)
                    if word0 > 0 or row_terms != 0:
                        start, start_stride = c_at, out_stride
                    a_at, b_at, left = rows_at, b + (p * words + word0) * WIDTH * 4, rows
                    while left >= ROWS:
                        product_block(
                            dot, ROWS, columns, a_at, stride, flip, b_at, depth, start, start_stride, c_at, out_stride
                        )
                        a_at, start, c_at = a_at + ROWS * stride, start + ROWS * start_stride, c_at + ROWS * out_stride
                        left -= ROWS
                    while left >= 4:
                        product_block(
                            dot, 4, columns, a_at, stride, flip, b_at, depth, start, start_stride, c_at, out_stride
                        )
                        a_at, start, c_at = a_at + 4 * stride, start + 4 * start_stride, c_at + 4 * out_stride
                        left -= 4
                    if left >= 2:
                        product_block(
                            dot, 2, columns, a_at, stride, flip, b_at, depth, start, start_stride, c_at, out_stride
                        )
                        a_at, start, c_at = a_at + 2 * stride, start + 2 * start_stride, c_at + 2 * out_stride
                        left -= 2
                    if left:
                        product_block(
                            dot, 1, columns, a_at, stride, flip, b_at, depth, start, start_stride, c_at, out_stride
                        )
            if ragged:
                used = n - (panels - 1) * WIDTH
                for i in range(rows):
                    out = carray(pointer(c + (i0 + i) * c_stride + (panels - 1) * WIDTH * 4), used, np.int32)
                    out[:] = tile[i, :used]

    return product
