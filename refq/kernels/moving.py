"""Codes that change place, and functions of codes read from tables."""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled


@compiled
def copy_runs(x, runs, fill, table, y):
    """y[n, to + i] = table[x[n, start + i]] for every run (to, start, length); `fill` where start is negative.

    x (N, elements) uint8; y (N, elements) int8; runs (runs, 3) int64
    table (256) int8, its last entry that of code -1; or (0), where codes stay as they are
    """
    is_copy = len(table) == 0
    for n in range(len(y)):
        source, target = x[n], y[n]
        for run in range(len(runs)):
            to, start, length = runs[run, 0], runs[run, 1], runs[run, 2]
            given = target[to : to + length]
            if start < 0:
                for i in range(length):
                    given[i] = fill
                continue
            taken = source[start : start + length]
            if is_copy:
                for i in range(length):
                    given[i] = np.int8(taken[i])
            else:
                for i in range(length):
                    given[i] = table[taken[i]]


@compiled
def copy_columns(x, table, first, y):
    """y[row, first + c] = table[x[row, c]]; x (rows, columns) uint8, y (rows, more) int8, table as in `copy_runs`."""
    is_copy = len(table) == 0
    for row in range(len(x)):
        source, target = x[row], y[row, first : first + x.shape[1]]
        if is_copy:
            for c in range(x.shape[1]):
                target[c] = np.int8(source[c])
        else:
            for c in range(x.shape[1]):
                target[c] = table[source[c]]


@compiled
def look_up_channels(x, tables, y):
    """y[row, c] = tables[c, x[row, c]]; x (rows, C) uint8, y (rows, C) and tables (C, 256) int8."""
    for row in range(len(x)):
        source, target = x[row], y[row]
        for c in range(x.shape[1]):
            target[c] = tables[c, source[c]]


@compiled
def look_up_pairs(a, b, table, y):
    """y = table[a, b]; a, b (elements) uint8, y (elements) and table (256, 256) int8."""
    for i in range(len(y)):
        y[i] = table[a[i], b[i]]
