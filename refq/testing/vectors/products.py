"""Corners of products: matrices, convolutions, rows of signs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from refq.testing.corners import integer_corners
from refq.testing.laws.words import pairs
from refq.testing.oracles import dot
from refq.testing.strategies import same_sign_cases
from refq.testing.subjects import BinaryDot
from refq.testing.vectors.corner import CornerVector

BYTES = (-128, 127)
SHAPES = ((1, 1, 1), (1, 7, 1), (3, 1, 5), (5, 3, 4), (8, 8, 8), (9, 17, 7), (17, 33, 16), (16, 65, 17))
"""M, K, N: one element, one row, K = 1, tiles full, one short and one over."""


def matmul() -> Iterator[CornerVector]:
    """Products of int8 matrices less their zero points; sums of equal signs first."""
    for depth in (1, 2, 16, 17, 64, 1024):
        for case in same_sign_cases(BYTES, BYTES, depth):
            yield _matmul(f"{case.a[0, 0]} * {case.b[0, 0]}, K = {depth}", case.a, case.b, 0, 0)
    corners = np.array(integer_corners(*BYTES))
    for (m, k, n), (a_zero, b_zero) in product(SHAPES, ((0, 0), (-128, 0), (127, 0), (-128, 127))):
        a, b = np.resize(corners, (m, k)), np.resize(corners[::-1], (k, n))
        yield _matmul(f"{m} x {k} x {n}, zero points {a_zero} and {b_zero}", a, b, a_zero, b_zero)


def _matmul(name: str, a: Any, b: Any, a_zero: int, b_zero: int) -> CornerVector:
    columns = b.T.tolist()
    sums = [[dot(row, column, a_zero, b_zero) for column in columns] for row in a.tolist()]
    return CornerVector(
        op="matmul",
        name=name,
        inputs={"a": a.astype(np.int8), "b": b.astype(np.int8)},
        parameters={"a_zero": a_zero, "b_zero": b_zero},
        expected=np.array(sums, np.int64),
    )


WINDOWS = (
    ((1, 1, 1, 1), (1, 1, 1), 1, 1, 0),
    ((1, 4, 5, 3), (2, 3, 3), 1, 1, 1),
    ((1, 5, 5, 1), (3, 3, 3), 2, 1, 1),
    ((1, 7, 6, 2), (2, 2, 2), 3, 1, 0),
    ((1, 7, 7, 5), (9, 3, 3), 1, 2, 2),
    ((2, 3, 3, 9), (1, 1, 1), 2, 1, 0),
)
"""Shape of x, (outputs, kernel height, kernel width), stride, dilation, padding on every side."""


def conv2d() -> Iterator[CornerVector]:
    """Convolutions of int8 images (NHWC) and weights (OHWI); padding is the zero point and adds nothing."""
    corners = np.array(integer_corners(*BYTES))
    for (x_shape, w_shape, stride, dilation, padding), zero in product(WINDOWS, (0, -128, 127)):
        x = np.resize(corners, x_shape)
        w = np.resize(corners[corners > -128][::-1], (*w_shape, x_shape[3]))
        yield CornerVector(
            op="conv2d",
            name=f"x {x_shape} w {w.shape} stride {stride} dilation {dilation} padding {padding} zero point {zero}",
            inputs={"x": x.astype(np.int8), "w": w.astype(np.int8)},
            parameters={"stride": stride, "dilation": dilation, "padding": padding, "x_zero": zero},
            expected=_convolve(x, w, stride, dilation, padding, zero),
        )


def _convolve(x: Any, w: Any, stride: int, dilation: int, padding: int, zero: int) -> Any:
    (batch, height, width, channels), (outputs, kh, kw, _) = x.shape, w.shape
    rows = (height + 2 * padding - (kh - 1) * dilation - 1) // stride + 1
    columns = (width + 2 * padding - (kw - 1) * dilation - 1) // stride + 1
    y = np.zeros((batch, rows, columns, outputs), np.int64)
    for n, r, c, o in np.ndindex(y.shape):
        total = 0
        for i, j, k in np.ndindex(kh, kw, channels):
            row, column = r * stride + i * dilation - padding, c * stride + j * dilation - padding
            if 0 <= row < height and 0 <= column < width:
                total += (int(x[n, row, column, k]) - zero) * int(w[o, i, j, k])
        y[n, r, c, o] = total
    return y


def binary_dot() -> Iterator[CornerVector]:
    """Rows of -1 and +1 of lengths around 8, 16, 32, 64 and 128."""
    for i, (a, b) in enumerate(pairs(BinaryDot(dot=lambda a, b: 0))):
        yield CornerVector(
            op="binary-dot",
            name=f"{len(a)} signs, case {i % 6}",
            inputs={"a": a.astype(np.int8), "b": b.astype(np.int8)},
            parameters={"n": len(a)},
            expected=np.array(dot(a.tolist(), b.tolist()), np.int64),
        )
