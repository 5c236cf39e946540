"""The loop nest of 4-bit weights with a scale a group: blocks of rows, panels of columns, all of K in registers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray  # pyright: ignore[reportPrivateImportUsage]

from refq.kernels.compiled import compiled
from refq.kernels.group_intrinsics import group_block
from refq.kernels.intrinsics import DOTS, pointer

ROW_BLOCK = 192
COLUMNS = 2
"""Vectors in a row of a panel."""


@compiled
def start_groups(a, a_stride, rows, groups, pairs, starts):
    """starts[row][group] = -8 * sum of the group's codes, eight at a time in one 64-bit word."""
    signs, evens = np.uint64(0x8080808080808080), np.uint64(0x00FF00FF00FF00FF)
    ones, eight, top = np.uint64(0x0001000100010001), np.uint64(8), np.uint64(48)
    for i in range(rows):
        words = carray(pointer(a + i * a_stride), groups * pairs, np.uint64)
        for g in range(groups):
            total = np.uint64(0)
            for word in words[g * pairs : (g + 1) * pairs]:
                raised = word ^ signs
                total += (((raised & evens) + ((raised >> eight) & evens)) * ones) >> top
            starts[i, g] = 8 * (1024 * pairs - np.int64(total))


@cache
def grouped_kernel(dot: int) -> Any:
    """The kernel of one instruction on bytes.

        product(a, a_stride, group_size, b, panels, groups, scales, c, c_stride, m, n)

    a : address of int8 rows of groups * group_size codes, the size a multiple of 8
    b : [panel][group][pair][COLUMNS * lanes] words, scales : float32 [panel][group][COLUMNS * lanes]; see `int4.py`
    c : float32 (m, n), overwritten; n > (panels - 1) * COLUMNS * lanes
    """
    WIDTH = COLUMNS * DOTS[dot].lanes
    ROWS = 6 if DOTS[dot].lanes == 16 else 2

    @compiled
    def product(a, a_stride, group_size, b, panels, groups, scales, c, c_stride, m, n):
        pairs = group_size // 8
        starts = np.empty((min(m, ROW_BLOCK), groups), np.int32)
        ragged = n < panels * WIDTH
        tile = np.empty((min(m, ROW_BLOCK) if ragged else 0, WIDTH), np.float32)
        for i0 in range(0, m, ROW_BLOCK):
            rows = min(m - i0, ROW_BLOCK)
            start_groups(a + i0 * a_stride, a_stride, rows, groups, pairs, starts)
            for p in range(panels):
                c_at, out_stride = c + i0 * c_stride + p * WIDTH * 4, c_stride
                if ragged and p == panels - 1:
                    c_at, out_stride = tile.ctypes.data, WIDTH * 4
                b_at, scales_at = b + p * groups * pairs * WIDTH * 4, scales + p * groups * WIDTH * 4
                a_at, s_at, s, left = a + i0 * a_stride, starts.ctypes.data, groups * 4, rows
                while left >= ROWS:
                    group_block(
                        dot, ROWS, COLUMNS, a_at, a_stride, b_at, groups, pairs, scales_at, s_at, s, c_at, out_stride
                    )
                    a_at, s_at, c_at = a_at + ROWS * a_stride, s_at + ROWS * s, c_at + ROWS * out_stride
                    left -= ROWS
                while left > 0:
                    group_block(
                        dot, 1, COLUMNS, a_at, a_stride, b_at, groups, pairs, scales_at, s_at, s, c_at, out_stride
                    )
                    a_at, s_at, c_at = a_at + a_stride, s_at + s, c_at + out_stride
                    left -= 1
            if ragged:
                used = n - (panels - 1) * WIDTH
                for i in range(rows):
                    out = carray(pointer(c + (i0 + i) * c_stride + (panels - 1) * WIDTH * 4), used, np.float32)
                    out[:] = tile[i, :used]

    return product
