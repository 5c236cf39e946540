"""Products with weights that are codes into codebooks, by table lookup."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

_TABLE_BYTES = 1 << 18
"""Tables in use at a time: they stay in the second-level cache while every column reads them."""

_FEW_ROWS = 4
"""Below this many rows each is added up on its own; from here on 16 lanes pay, even if some stay empty."""


class LookupWeights:
    """A weight matrix as codes, laid out once for any number of products.

        w[n, s * width : (s + 1) * width] = sum_r codebooks[s, r, codes[n, s, r]]

    Parameters
    ----------
    codes : integers, shape (outputs, subspaces) or (outputs, subspaces, stages)
    codebooks : real or integer, shape (subspaces, stages, centroids, width), at most 65536 centroids; 1 subspace where
        all share it; the axis of stages may be left out where there is one stage

    Raises
    ------
    ShapeError, RangeError    shapes that contradict each other, codes without a centroid, values that are not finite

    Notes
    -----
    One stage is product quantization (Jegou et al. 2011), several add up (residual or additive quantization); width 1
    is a table of levels, such as the 16 of k-means weight sharing (Han et al. 2016).
    """

    def __init__(self, codes: Any, codebooks: Any) -> None:
        numbers, books = np.asarray(codes), np.asarray(codebooks)
        numbers = numbers[..., None] if numbers.ndim == 2 else numbers
        books = books[:, None] if books.ndim == 3 else books
        if numbers.ndim != 3 or books.ndim != 4 or not books.size or numbers.dtype.kind not in "iu":
            raise ShapeError(
                f"codes of shape {np.shape(codes)} and codebooks of shape {np.shape(codebooks)} must be integers "
                "(outputs, subspaces, stages) and (subspaces, stages, centroids, width)"
            )
        if books.shape[0] not in (1, numbers.shape[1]) or books.shape[1] != numbers.shape[2]:
            raise ShapeError(
                f"codes of {numbers.shape[1:]} subspaces and stages need codebooks for as many, got {books.shape[:2]}"
            )
        if books.shape[2] > 1 << 16:
            raise ShapeError(f"codebooks of {books.shape[2]} centroids exceed 65536, the most a 16-bit code can name")
        if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= books.shape[2]):
            raise RangeError(f"codes in [{numbers.min()}, {numbers.max()}] must lie in 0..{books.shape[2] - 1}")
        self.is_integer = books.dtype.kind in "iu"
        self.codebooks: NDArray[Any] = np.array(books, np.int32 if self.is_integer else np.float32)
        if not np.isfinite(self.codebooks).all():
            raise RangeError("codebooks must be finite")
        outputs, subspaces, stages = numbers.shape
        self.shape = (outputs, subspaces * books.shape[3])
        self.codes = np.array(numbers.reshape(outputs, subspaces * stages).T, np.uint16, order="C")

    @cached_property
    def books(self) -> NDArray[Any]:
        """(subspaces or 1, stages, width, centroids), centroids padded with zeros to a multiple of 8."""
        subspaces, stages, count, width = self.codebooks.shape
        padded = np.zeros((subspaces, stages, width, -(-count // 8) * 8), self.codebooks.dtype)
        padded[..., :count] = self.codebooks.swapaxes(2, 3)
        return padded

    def decode(self) -> NDArray[Any]:
        """The weight matrix, shape (outputs, inputs)."""
        subspaces, stages, _, width = self.codebooks.shape
        numbers = self.codes.T.reshape(self.shape[0], self.shape[1] // width, stages)
        where = np.arange(numbers.shape[1])[:, None] if subspaces > 1 else 0
        parts = self.codebooks[where, np.arange(stages), numbers]  # (outputs, subspaces, stages, width)
        return parts.sum(axis=2, dtype=self.codebooks.dtype).reshape(self.shape)


def lookup_matmul(x: Any, weights: LookupWeights, threads: int = 1) -> NDArray[Any]:
    """y = x @ w.T without decoding w.

        y[m, n] = sum_t table[m, t, code[n, t]],    table[m, t, c] = x[m, subspace of t] . codebook[t, c]

    Parameters
    ----------
    x : shape (rows, inputs); integers beside integer codebooks, else real
    weights : LookupWeights of shape (outputs, inputs)
    threads : int >= 1      blocks of 16 rows are shared out among them

    Returns
    -------
    int32, exact, from integers; else float32, shape (rows, outputs)

    Raises
    ------
    ShapeError    x of another width, or of another kind of number than the codebooks
    RangeError    integer sums that may leave int32, or threads < 1

    >>> weights = LookupWeights([[0, 1], [1, 1]], [[[1, 2], [3, 4]]])
    >>> lookup_matmul([[1, 0, 0, 1]], weights).tolist()
    [[5, 7]]
    """
    rows = np.asarray(x)
    kinds = "iu" if weights.is_integer else "fiu"
    if rows.ndim != 2 or rows.shape[1] != weights.shape[1] or rows.dtype.kind not in kinds:
        raise ShapeError(
            f"x of shape {rows.shape} and type {rows.dtype} must be (rows, {weights.shape[1]}) "
            f"{'integers, as the codebooks are' if weights.is_integer else 'real numbers'}"
        )
    if threads < 1:
        raise RangeError(f"threads={threads} must be at least 1")
    if weights.is_integer and rows.size:
        largest = max(-int(rows.min()), int(rows.max()))
        books = weights.codebooks
        weight = max(-int(books.min()), int(books.max())) * books.shape[1]
        if weights.shape[1] * largest * weight >= 1 << 31:
            raise RangeError(
                f"{weights.shape[1]} products of values up to {largest} and weights up to {weight} may exceed int32"
            )
    values = np.ascontiguousarray(rows, weights.codebooks.dtype)
    y = np.zeros((len(values), weights.shape[0]), values.dtype)
    if not (y.size and values.size):
        return y
    from refq.kernels import cpu
    from refq.kernels.sharing import share

    if cpu.route() == "numpy":
        return (values.astype(np.float64) @ weights.decode().astype(np.float64).T).astype(y.dtype)
    work = _by_row if len(values) < _FEW_ROWS or cpu.route() == "generic" else _by_lanes
    share(threads, len(values), 16, partial(work, values, weights, y))
    return y


def _by_row(x: NDArray[Any], weights: LookupWeights, y: NDArray[Any], low: int, high: int) -> None:
    from refq.kernels.lookup_gemm import add_row

    table = np.empty(weights.books.shape[3], x.dtype)
    for m in range(low, high):
        add_row(x[m], weights.books, table, weights.codes, y[m])


def _by_lanes(x: NDArray[Any], weights: LookupWeights, y: NDArray[Any], low: int, high: int) -> None:
    from refq.kernels.lookup_gemm import LANES, add_lanes

    books, codes = weights.books, weights.codes
    subspaces, stages, width, centroids = books.shape
    step = min(len(codes), max(1, _TABLE_BYTES // (centroids * LANES * 4)))
    tables = np.empty((step, centroids, LANES), x.dtype)
    for m in range(low, high, LANES):
        lanes = np.zeros((x.shape[1], LANES), x.dtype)
        count = min(LANES, high - m)
        lanes[:, :count] = x[m : m + count].T
        sums = np.zeros((codes.shape[1], LANES), x.dtype)
        add_lanes(
            not weights.is_integer,
            lanes.ctypes.data,
            width,
            books.ctypes.data,
            subspaces == 1,
            stages,
            centroids,
            tables.ctypes.data,
            step,
            len(codes),
            codes.ctypes.data,
            codes.shape[1],
            sums.ctypes.data,
        )
        y[m : m + count] = sums[:, :count].T
