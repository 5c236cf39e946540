"""The order in which an array reads a matrix product and gives its sums.

A product c = a @ b with a (M, K) and b (K, N) runs tile by tile on ROWS x COLS elements; partial tiles are filled up
with zeros and pay for full ones. `operands` gives the words of both memories in address order, `events` the sums in
the order they leave, `cycles` of hwsim (convention "rtl") how long it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Dataflow = Literal["os", "ws"]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayOrder:
    """An array and the order it works in.

    Parameters
    ----------
    rows, cols : int >= 1
    dataflow : "os" (output stationary): rows of A and columns of B are cut into tiles, K streams; "ws" (weight
        stationary): K and N are cut, rows of A stream, and every tile along K gives partial sums
    bottom_first : os only: a tile's rows leave bottom row first (plain drain) or top row first (overlapped drain)
    """

    rows: int
    cols: int
    dataflow: Dataflow = "os"
    bottom_first: bool = True

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1:
            raise RangeError(f"an array of {self.rows} x {self.cols} elements needs at least one row and one column")
        if self.dataflow not in ("os", "ws"):
            raise RangeError(f"dataflow={self.dataflow!r} is neither 'os' nor 'ws'")

    def operands(self, a: NDArray[Any], b: NDArray[Any], a_fill: int = 0, b_fill: int = 0) -> tuple[Codes, Codes]:
        """Words of the A memory, shape (words, rows), and of the B memory, shape (words, cols).

        os: A holds column k of a tile of rows at tile_m * K + k, B row k of a tile of columns at tile_n * K + k.
        ws: A holds row m of a tile along K at tile_k * M + m, B row k of a tile, tile_n slowest, rows padded.
        a_fill, b_fill : what lanes beyond the matrices hold; one of both must be 0 for ws, where K is padded
        """
        a, b = _matrices(a, b)
        m, k = a.shape
        if self.dataflow == "os":
            return (
                _padded(a, self.rows, 0, a_fill).reshape(-1, self.rows, k).swapaxes(1, 2).reshape(-1, self.rows),
                _padded(b, self.cols, 1, b_fill).reshape(k, -1, self.cols).swapaxes(0, 1).reshape(-1, self.cols),
            )
        wide = _padded(a, self.rows, 1, a_fill).reshape(m, -1, self.rows).swapaxes(0, 1).reshape(-1, self.rows)
        deep = _padded(_padded(b, self.rows, 0, b_fill), self.cols, 1, b_fill)
        return wide, deep.reshape(len(deep), -1, self.cols).swapaxes(0, 1).reshape(-1, self.cols)

    def events(self, a: NDArray[Any], b: NDArray[Any], a_fill: int = 0, b_fill: int = 0) -> Codes:
        """Sums as they leave, shape (events, cols): event i of column c is what that column gives for the i-th time.

        os: whole sums, row of tiles by row of tiles. ws: sums over the tiles along K so far, tile_n slowest, then
        tile_k, then rows of A.
        """
        a, b = _matrices(a, b)
        if self.dataflow == "os":
            full = _padded(a, self.rows, 0, a_fill) @ _padded(b, self.cols, 1, b_fill)
            tiles = full.reshape(-1, self.rows, full.shape[1] // self.cols, self.cols).swapaxes(1, 2)
            return (tiles[:, :, ::-1] if self.bottom_first else tiles).reshape(-1, self.cols)
        m = len(a)
        wide = _padded(a, self.rows, 1, a_fill).reshape(m, -1, self.rows)
        deep = _padded(_padded(b, self.rows, 0, b_fill), self.cols, 1, b_fill).reshape(wide.shape[1], self.rows, -1)
        partial = np.cumsum(np.einsum("mtr,trn->tmn", wide, deep), axis=0)
        return partial.reshape(len(deep), m, -1, self.cols).transpose(2, 0, 1, 3).reshape(-1, self.cols)

    def coordinates(self, m: int, n: int, k: int) -> NDArray[np.int64]:
        """Which sum each event is, shape (events, cols, 3): row and column of c, tile along K; -1 for padding."""
        tiles_m, tiles_n, tiles_k = -(-m // self.rows), -(-n // self.cols), -(-k // self.rows)
        if self.dataflow == "os":
            rows = np.arange(self.rows)[:: -1 if self.bottom_first else 1]
            tm, tn, row, col = np.meshgrid(
                np.arange(tiles_m), np.arange(tiles_n), rows, np.arange(self.cols), indexing="ij"
            )
            found = np.stack([tm * self.rows + row, tn * self.cols + col, np.zeros_like(tm)], axis=-1)
        else:
            tn, tk, row, col = np.meshgrid(
                np.arange(tiles_n), np.arange(tiles_k), np.arange(m), np.arange(self.cols), indexing="ij"
            )
            found = np.stack([row, tn * self.cols + col, tk], axis=-1)
        padding = (found[..., 0] >= m) | (found[..., 1] >= n)
        return np.where(padding[..., None], -1, found).reshape(-1, self.cols, 3)


def _matrices(a: NDArray[Any], b: NDArray[Any]) -> tuple[Codes, Codes]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ShapeError(f"matrices of shapes {a.shape} and {b.shape} have no product")
    return a.astype(np.int64), b.astype(np.int64)


def _padded(matrix: Codes, multiple: int, axis: int, fill: int = 0) -> Codes:
    extra = [(0, 0), (0, 0)]
    extra[axis] = (0, -matrix.shape[axis] % multiple)
    return np.pad(matrix, extra, constant_values=fill)
