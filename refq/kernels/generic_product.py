"""C = A B in plain loops, compiled by Numba for whatever processor there is.

    c[m][n] = sum over k of a[m][k] * b[n][k]           B transposed, so that both rows are read in order

The compiler turns the inner loop into the processor's own vectors; no instruction is named here.
"""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled


@compiled
def product(a, b_transposed, c):
    """Write the int32 product, modulo 2**32, of a (m, k) and b_transposed (n, k)."""
    for i in range(a.shape[0]):
        for j in range(b_transposed.shape[0]):
            total = np.int32(0)
            for k in range(a.shape[1]):
                total += np.int32(a[i, k]) * np.int32(b_transposed[j, k])
            c[i, j] = total


@compiled
def product_of_few(a, b, c):
    """Write the int32 product, modulo 2**32, of a (m, k) and b (k, n), whose rows are contiguous: B is read once.

    For so few rows that packing B, which also reads it once, would cost more than the product. Four rows of B are
    added at a time, to write c a fourth as often.
    """
    m, k = a.shape
    n = b.shape[1]
    for i in range(m):
        row = c[i]
        row[:] = 0
        whole = k // 4 * 4
        for k0 in range(0, whole, 4):
            x0, x1, x2, x3 = np.int32(a[i, k0]), np.int32(a[i, k0 + 1]), np.int32(a[i, k0 + 2]), np.int32(a[i, k0 + 3])
            b0, b1, b2, b3 = b[k0], b[k0 + 1], b[k0 + 2], b[k0 + 3]
            for j in range(n):
                row[j] += x0 * b0[j] + x1 * b1[j] + x2 * b2[j] + x3 * b3[j]
        for k0 in range(whole, k):
            x0, b0 = np.int32(a[i, k0]), b[k0]
            for j in range(n):
                row[j] += x0 * b0[j]
