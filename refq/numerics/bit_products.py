"""Exact matrix products of bit planes.

A product of two packed matrices is a sum over pairs of planes (Umuroglu et al. 2018, BISMO, section 3.1); binary and
ternary pairs need one pass (Rastegari et al. 2016, XNOR-Net, section 3.2; Li et al. 2016, ternary weight networks).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.numerics.bit_planes import Grid, PackedBits, pack_bits


def packed_matmul(a: PackedBits, b: PackedBits, threads: int = 1) -> NDArray[np.int32]:
    """y[m, n] = sum_k a[m, k] * b[n, k], exactly, for any two grids.

    Parameters
    ----------
    a : PackedBits of shape (M, K);  b : PackedBits of shape (N, K), the right operand transposed
    threads : int >= 1     rows of a are shared out among them

    Raises
    ------
    ShapeError    different depths
    RangeError    a sum might leave int32, or threads < 1
    """
    if a.depth != b.depth:
        raise ShapeError(f"packed rows of {a.depth} and {b.depth} codes have no product; both need the same depth")
    if a.depth * a.largest * b.largest >= 1 << 31:
        raise RangeError(f"depth={a.depth} with codes up to {a.largest} and {b.largest} may exceed int32; split it")
    if threads < 1:
        raise RangeError(f"threads={threads} must be at least 1")
    if not (len(a) and len(b) and a.depth):
        return np.zeros((len(a), len(b)), np.int32)
    return _Product(a, b).run(threads)


class _Product:
    """The passes over pairs of planes that make up one product."""

    def __init__(self, a: PackedBits, b: PackedBits) -> None:
        from refq.kernels import popcount

        grids = {a.grid, b.grid}
        self.rows, self.columns = len(a), len(b)
        self.correction: NDArray[np.int32] | None = None
        if grids == {"binary"}:
            self.passes = [(popcount.BINARY, 0, 0, -2)]
            self.base = a.depth
        elif grids <= {"binary", "ternary"}:
            a, b = a.as_ternary(), b.as_ternary()
            self.passes, self.base = [(popcount.TERNARY, 0, 0, 1)], 0
        else:
            self.passes = [
                (popcount.PLANES, i, j, x * w) for i, x in enumerate(a.weights) for j, w in enumerate(b.weights)
            ]
            self.base = a.offset * b.offset * a.depth
            if a.offset or b.offset:
                self.correction = (a.offset * b.totals + b.offset * a.totals[:, None]).astype(np.int32)
        self.a, self.b = a, b

    def run(self, threads: int) -> NDArray[np.int32]:
        from refq.kernels import cpu
        from refq.kernels.sharing import share

        route = cpu.route()
        if route == "numpy":
            product = self.a.unpack().astype(np.float64) @ self.b.unpack().T.astype(np.float64)
            return product.astype(np.int32)  # exact: packed_matmul refuses sums of 2**31
        if route == "generic":
            work, width = self.generic, self.columns
        else:
            work, width = self.native, self.b.panels.shape[1] * self.b.panels.shape[3]
        c = np.empty((self.rows, width), np.int32)
        share(threads, self.rows, 4, partial(work, c))
        y = np.ascontiguousarray(c[:, : self.columns])
        return y if self.correction is None else y + self.correction

    def native(self, c: NDArray[np.int32], start: int, stop: int) -> None:
        from refq.kernels.popcount import block_products

        planes, panels = self.a.planes, self.b.panels
        _, count, words, width = panels.shape
        for index, (operation, i, j, weight) in enumerate(self.passes):
            block_products(
                operation,
                width == 32,
                planes.ctypes.data + i * planes.strides[0] + start * planes.strides[1],
                planes.strides[1],
                planes.strides[0],
                panels.ctypes.data + j * panels.strides[0],
                panels.strides[0],
                count,
                words,
                c.ctypes.data + start * c.strides[0],
                c.strides[0],
                stop - start,
                np.int32(self.base),
                np.int32(weight),
                index > 0,
            )

    def generic(self, c: NDArray[np.int32], start: int, stop: int) -> None:
        from refq.kernels.popcount import plain_products

        for index, (operation, i, j, weight) in enumerate(self.passes):
            a, b = self.a.planes[i : i + 2, start:stop], self.b.planes[j : j + 2]
            plain_products(operation, a, b, c[start:stop], np.int32(self.base), np.int32(weight), index > 0)


def binary_matmul(a: Any, b: Any, threads: int = 1) -> NDArray[np.int32]:
    """Product of matrices of -1 and 1, exactly.

        y[m, n] = sum_k a[m, k] * b[k, n] = K - 2 * ones(negative_a[m] xor negative_b[n])

    Parameters
    ----------
    a : integers of shape (M, K), or PackedBits
    b : integers of shape (K, N), or PackedBits of its transpose
    threads : int >= 1

    Raises
    ------
    RangeError, ShapeError    as `pack_bits` and `packed_matmul`

    >>> binary_matmul([[1, -1, 1]], [[1], [1], [1]]).tolist()
    [[1]]
    """
    return _matmul(a, b, ("binary", 1), ("binary", 1), threads)


def ternary_matmul(a: Any, b: Any, threads: int = 1) -> NDArray[np.int32]:
    """Product of matrices of -1, 0 and 1; parameters as `binary_matmul`, which it contains.

    >>> ternary_matmul([[1, -1, 0]], [[0], [-1], [1]]).tolist()
    [[1]]
    """
    return _matmul(a, b, ("ternary", 1), ("ternary", 1), threads)


def bit_serial_matmul(
    a: Any,
    b: Any,
    a_bits: int,
    b_bits: int,
    *,
    a_signed: bool = True,
    b_signed: bool = True,
    threads: int = 1,
) -> NDArray[np.int32]:
    """Product of matrices of narrow integers, one pass a pair of bits.

        y[m, n] = sum_i sum_j +-2**(i + j) * ones(plane_i(a)[m] and plane_j(b)[n])

    the sign negative where exactly one of the planes is the top one of two's complement codes.

    Parameters
    ----------
    a : integers of shape (M, K), or PackedBits;  b : integers of shape (K, N), or PackedBits of its transpose
    a_bits, b_bits : int in 1..8      work grows with their product; one 8-bit product is faster from 5 pairs on
    a_signed, b_signed : bool         two's complement, else unsigned
    threads : int >= 1

    >>> bit_serial_matmul([[3, 1]], [[-2], [1]], 2, 2, a_signed=False).tolist()
    [[-5]]
    """
    left: tuple[Grid, int] = ("signed" if a_signed else "unsigned", a_bits)
    right: tuple[Grid, int] = ("signed" if b_signed else "unsigned", b_bits)
    return _matmul(a, b, left, right, threads)


def _matmul(a: Any, b: Any, left: tuple[Grid, int], right: tuple[Grid, int], threads: int) -> NDArray[np.int32]:
    if not isinstance(a, PackedBits):
        a = pack_bits(_matrix("a", a), *left)
    if not isinstance(b, PackedBits):
        b = pack_bits(_matrix("b", b).T, *right)
    return packed_matmul(a, b, threads)


def _matrix(name: str, codes: Any) -> NDArray[Any]:
    array = np.asarray(codes)
    if array.ndim != 2:
        raise ShapeError(f"{name} of shape {array.shape} must be a matrix")
    return array
