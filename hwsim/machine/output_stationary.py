"""The output-stationary array, one clock edge after the other. Compiled.

PE(r, c) holds one sum. Operands a enter row r at the west, b column c at the north, both r (c) edges late, and move
one PE an edge. Plain: after the last operands met in PE(R-1, C-1) all sums shift south and R edges sample the bottom
row; then the next tile enters. Overlapped: with its last operands a PE copies its sum into a shadow; one edge after
the bottom shadow of a column is written, R edges sample the column at its north end. Tiles enter every max(K, 2R - 1)
edges, the closest at which no shadow is written before it has moved on.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.machine.element import multiply, ones, zero_lanes

SLOT, FIRST, LAST, REAL = 1, 2, 4, 8
CYCLES, TOGGLES_A, TOGGLES_B, TOGGLES_SUM, STEPS, PRODUCTS, ZEROS, COUNTERS = 0, 1, 2, 3, 4, 5, 6, 7


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
    """Run a (M, K) times b (K, N) into out (M, N), adding to `counts`; words, sums unwrapped."""
    M, K = a.shape
    N = b.shape[1]
    tiles_m, tiles_n = (M + rows - 1) // rows, (N + cols - 1) // cols
    tiles = tiles_m * tiles_n
    tag = np.zeros((rows, cols), np.int64)
    place = np.zeros((rows, cols), np.int64)
    a_reg, b_reg = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), np.int64)
    b_real = np.zeros((rows, cols), np.bool_)
    total, shadow = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), np.int64)
    draining, drained = np.zeros(cols, np.int64), np.zeros(cols, np.int64)
    period = max(K, 2 * rows - 1)
    start, tile, plain_drain = 0, 0, 0
    sampled, edge = 0, 0
    edges = 1  # the edge that leaves idle
    while sampled < tiles * rows * cols:
        edges += 1
        done = False
        if overlap:
            for c in range(cols):
                if draining[c] > 0:
                    r = rows - draining[c]
                    m, n = drained[c] // tiles_n * rows + r, drained[c] % tiles_n * cols + c
                    if m < M and n < N:
                        out[m, n] = shadow[0, c]
                    for i in range(rows - 1):
                        shadow[i, c] = shadow[i + 1, c]
                    sampled += 1
                    draining[c] -= 1
                    if draining[c] == 0:
                        drained[c] += 1
        elif plain_drain > 0:
            r = plain_drain - 1
            for c in range(cols):
                m, n = tile // tiles_n * rows + r, tile % tiles_n * cols + c
                if m < M and n < N:
                    out[m, n] = total[rows - 1, c]
                for i in range(rows - 1, 0, -1):
                    total[i, c] = total[i - 1, c]
                total[0, c] = 0
                sampled += 1
            plain_drain -= 1
            if plain_drain == 0:
                tile += 1
                start = edge + 1
                edge += 1
                continue
        # From south-east to north-west, so that every PE still sees what its neighbours held before this edge.
        for r in range(rows - 1, -1, -1):
            for c in range(cols - 1, -1, -1):
                if c > 0:
                    flags, k, a_in = tag[r, c - 1], place[r, c - 1], a_reg[r, c - 1]
                else:
                    flags, k, a_in = 0, 0, 0
                    since = edge - r - start
                    at = tile
                    if overlap:
                        at = since // period if since >= 0 else tiles
                        k = since - at * period
                    else:
                        k = since
                    if at < tiles and 0 <= k < K:
                        flags = SLOT
                        if k == 0:
                            flags |= FIRST
                        if k == K - 1:
                            flags |= LAST
                        m = at // tiles_n * rows + r
                        if m < M:
                            flags |= REAL
                            a_in = a[m, k]
                    else:
                        k = 0
                if r > 0:
                    has_b, b_in = b_real[r - 1, c], b_reg[r - 1, c]
                else:
                    has_b, b_in = False, 0
                    since = edge - c - start
                    at = tile
                    kb = since
                    if overlap:
                        at = since // period if since >= 0 else tiles
                        kb = since - at * period
                    if at < tiles and 0 <= kb < K:
                        n = at % tiles_n * cols + c
                        if n < N:
                            has_b, b_in = True, b[kb, n]
                tag[r, c], place[r, c], b_real[r, c] = flags, k, has_b
                if flags & REAL:
                    counts[TOGGLES_A] += ones((a_reg[r, c] ^ a_in) & word_mask)
                    a_reg[r, c] = a_in
                if has_b:
                    counts[TOGGLES_B] += ones((b_reg[r, c] ^ b_in) & word_mask)
                    b_reg[r, c] = b_in
                if not flags & SLOT:
                    continue
                old = total[r, c]
                new = 0 if flags & FIRST else old
                if flags & REAL and has_b:
                    new += multiply(a_in, b_in, lanes[k], mode)
                    counts[STEPS] += 1
                    counts[PRODUCTS] += lanes[k]
                    counts[ZEROS] += zero_lanes(a_in, b_in, lanes[k], mode)
                    counts[TOGGLES_SUM] += ones((old ^ new) & sum_mask)
                total[r, c] = new
                if flags & LAST:
                    shadow[r, c] = new
                    if r == rows - 1:
                        draining[c] = rows
                        done = c == cols - 1
        if done and not overlap:
            plain_drain = rows
        edge += 1
    counts[CYCLES] += edges
