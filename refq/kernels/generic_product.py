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
