"""Ragged matrix products and convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from refq.testing.corners import integer_corners
from refq.testing.strategies.tensors import code_tensors

BLOCKS = (4, 8, 16, 32, 64)
"""Sizes at which kernels and arrays cut their operands."""


def _sizes(most: int, blocks: tuple[int, ...] = BLOCKS) -> SearchStrategy[int]:
    around = sorted({b + d for b in (1, 2, *blocks) for d in (-1, 0, 1) if 1 <= b + d <= most})
    return st.one_of(st.sampled_from(around), st.integers(1, most))


@dataclass(frozen=True, kw_only=True)
class GemmCase:
    """Operands of an integer product: a (M, K), b (K, N), and their zero points."""

    a: NDArray[Any]
    b: NDArray[Any]
    a_zero: int = 0
    b_zero: int = 0


@st.composite
def gemm_cases(
    draw: Any,
    a: tuple[int, int] = (-128, 127),
    b: tuple[int, int] = (-128, 127),
    most: int = 17,
    depth: int = 66,
) -> GemmCase:
    """Products of any shape: K = 1, sizes around block sizes; one row or one column often.

    Parameters
    ----------
    a, b : lowest and highest code of the operands
    most : largest M and N
    depth : largest K

    Notes
    -----
    An operand of more than 64 elements repeats drawn rows, so that large shapes still shrink and stay fast.
    """
    m, k, n = draw(_sizes(most)), draw(_sizes(depth)), draw(_sizes(most))
    left, right = draw(_matrix(*a, m, k)), draw(_matrix(*b, k, n))
    zeros = [draw(st.sampled_from(integer_corners(*limits))) for limits in (a, b)]
    return GemmCase(a=left, b=right, a_zero=zeros[0], b_zero=zeros[1])


def _matrix(low: int, high: int, rows: int, columns: int) -> SearchStrategy[NDArray[Any]]:
    count = min(rows * columns, 61)  # a prime: repeated values do not line up with rows
    return code_tensors(low, high, (count,)).map(lambda v: np.resize(v, (rows, columns)))


def same_sign_cases(a: tuple[int, int], b: tuple[int, int], depth: int) -> tuple[GemmCase, ...]:
    """The sums that reach farthest: every pair of extreme codes, repeated `depth` times."""
    return tuple(GemmCase(a=np.full((1, depth), x, np.int64), b=np.full((depth, 1), y, np.int64)) for x in a for y in b)


@dataclass(frozen=True, kw_only=True)
class ConvolutionCase:
    """x (N, H, W, C), w (O, KH, KW, C), strides, dilations, and padding as (top, bottom, left, right)."""

    x: NDArray[Any]
    w: NDArray[Any]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    padding: tuple[int, int, int, int]
    x_zero: int = 0


@st.composite
def convolution_cases(draw: Any, x: tuple[int, int] = (-128, 127), w: tuple[int, int] = (-127, 127)) -> ConvolutionCase:
    """Convolutions whose windows fit: strides beyond the kernel, dilation, ragged channels, one-pixel outputs."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilations = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    strides = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    least = [max(1, r - before - after) for r, before, after in zip(reach, padding[::2], padding[1::2], strict=True)]
    height, width = (draw(st.integers(size, size + 5)) for size in least)
    batch, channels, outputs = draw(st.integers(1, 2)), draw(_sizes(9, (4, 8))), draw(_sizes(9, (4, 8)))
    image = draw(_matrix(*x, batch * height * width, channels)).reshape(batch, height, width, channels)
    weights = draw(_matrix(*w, outputs * kernel[0] * kernel[1], channels)).reshape(outputs, *kernel, channels)
    zero = draw(st.sampled_from(integer_corners(*x)))
    return ConvolutionCase(x=image, w=weights, strides=strides, dilations=dilations, padding=padding, x_zero=zero)
