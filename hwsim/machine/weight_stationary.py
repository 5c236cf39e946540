"""The weight-stationary array, one clock edge after the other. Compiled.

PE(r, c) holds one weight. Weights are written a row an edge. Activations enter row r at the west r edges late and
move east; sums enter as zero at the north, move south, and a register below the bottom row is sampled one edge after
it is written; the partial sums of the tiles along K are added there. Plain: load R edges, stream M, and when the last
sum is sampled the next tile loads. Overlapped: row r, column c of the next tile's weights goes into a shadow r + c
edges after the present tile's first activation, the edge at which the PE takes the shadow it already has; tiles enter
every max(M, R) edges, since the port writes one row an edge. A word of no operand leaves its row idle.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.machine.element import multiply, ones, zero_lanes
from hwsim.machine.output_stationary import (
    CYCLES,
    FIRST,
    PRODUCTS,
    REAL,
    SLOT,
    STEPS,
    TOGGLES_A,
    TOGGLES_B,
    TOGGLES_SUM,
    ZEROS,
)


@njit(cache=True)
def step(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    lanes: NDArray[np.int64],
    rows: int,
    cols: int,
    mode: int,
    overlap: bool,
    word_mask: int,
    sum_mask: int,
    out: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Run a (M, K) times b (K, N) into out (M, N), which starts at zero, adding to `counts`; words, sums unwrapped."""
    M, K = a.shape
    N = b.shape[1]
    tiles_k, tiles_n = (K + rows - 1) // rows, (N + cols - 1) // cols
    tiles = tiles_k * tiles_n
    tag = np.zeros((rows, cols), np.int64)
    reduction = np.zeros((rows, cols), np.int64)
    a_reg = np.zeros((rows, cols), np.int64)
    weight, shadow = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), np.int64)
    weight_at, shadow_at = np.full((rows, cols), -1, np.int64), np.full((rows, cols), -1, np.int64)
    sums = np.zeros((rows, cols), np.int64)
    sampled_of = np.zeros(cols, np.int64)
    period = max(M, rows)
    begin, tile, sampled, edge = 0, 0, 0, 0
    edges = 1  # the edge that leaves idle
    while sampled < tiles * M * cols:
        edges += 1
        for c in range(cols):
            if tag[rows - 1, c] & SLOT:
                at, m = sampled_of[c] // M, sampled_of[c] % M
                n = at % tiles_n * cols + c
                if n < N:
                    out[m, n] += sums[rows - 1, c]
                sampled_of[c] += 1
                sampled += 1
        for r in range(rows - 1, -1, -1):
            for c in range(cols - 1, -1, -1):
                flags, k, a_in = 0, 0, 0
                if c > 0:
                    flags, a_in, k = tag[r, c - 1], a_reg[r, c - 1], reduction[r, c - 1]
                else:
                    since = edge - begin - rows - r
                    at, m = tile, since
                    if overlap:
                        at = since // period if since >= 0 else tiles
                        m = since - at * period
                    if at < tiles and 0 <= m < M:
                        flags = SLOT | (FIRST if m == 0 else 0)
                        k = at // tiles_n * rows + r
                        if k < K and lanes[k] > 0:
                            flags |= REAL
                            a_in = a[m, k]
                sum_in = sums[r - 1, c] if r > 0 else 0
                if overlap and flags & FIRST:
                    if shadow_at[r, c] >= 0:
                        counts[TOGGLES_B] += ones((weight[r, c] ^ shadow[r, c]) & word_mask)
                        weight[r, c] = shadow[r, c]
                    weight_at[r, c] = shadow_at[r, c]
                write = tiles  # the tile whose weight the port writes here at this edge
                if overlap:
                    late = edge - r - c
                    if late == 0:
                        write = 0
                    elif late >= rows and (late - rows) % period == 0:
                        write = (late - rows) // period + 1
                elif edge - begin == r and tile < tiles:
                    write = tile
                if write < tiles:
                    kw, n = write // tiles_n * rows + r, write % tiles_n * cols + c
                    held = kw < K and n < N and lanes[kw] > 0
                    if overlap:
                        shadow_at[r, c] = kw if held else -1
                        if held:
                            counts[TOGGLES_B] += ones((shadow[r, c] ^ b[kw, n]) & word_mask)
                            shadow[r, c] = b[kw, n]
                    else:
                        weight_at[r, c] = kw if held else -1
                        if held:
                            counts[TOGGLES_B] += ones((weight[r, c] ^ b[kw, n]) & word_mask)
                            weight[r, c] = b[kw, n]
                tag[r, c], reduction[r, c] = flags, k
                if flags & REAL:
                    counts[TOGGLES_A] += ones((a_reg[r, c] ^ a_in) & word_mask)
                    a_reg[r, c] = a_in
                if not flags & SLOT:
                    continue
                new = sum_in
                if flags & REAL and weight_at[r, c] >= 0:
                    new += multiply(a_in, weight[r, c], lanes[k], mode)
                    counts[STEPS] += 1
                    counts[PRODUCTS] += lanes[k]
                    counts[ZEROS] += zero_lanes(a_in, weight[r, c], lanes[k], mode)
                counts[TOGGLES_SUM] += ones((sums[r, c] ^ new) & sum_mask)
                sums[r, c] = new
        if not overlap and sampled == (tile + 1) * M * cols:
            tile += 1
            begin = edge + 1
        edge += 1
    counts[CYCLES] += edges
