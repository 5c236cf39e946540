"""XNOR-Net convolution: binary weights and inputs, and a map of input scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.numerics.bit_convolution import bit_convolution
from refq.numerics.bit_planes import pack_bits
from refq.quantizers.binary import Binary
from refq.quantizers.means import finite_data

Pair = tuple[int, int]


def input_scales(
    x: Any, *, kernel: Pair, strides: Pair = (1, 1), before: Pair = (0, 0), out: Pair | None = None
) -> NDArray[np.float64]:
    """The scaling map K: one scale for every patch of the input.

        K = A * k,   A[n, y, x] = mean over channels of |x[n, y, x, c]|,   k = 1 / (FY FX) everywhere

    Parameters
    ----------
    x : real, shape (N, H, W, C)
    kernel, strides : (height, width)
    before : (top, left) padding with zeros; what lies behind the image follows from `out`
    out : size of the result, default: as far as patches fit

    Returns
    -------
    float64, shape (N, OY, OX)

    Raises
    ------
    ShapeError          x without four axes, a kernel larger than the padded input
    CalibrationError    NaN or infinities

    Notes
    -----
    Rastegari et al. 2016, section 3.2, eq. (10)-(11). Positions outside the image count as zeros in the mean.
    """
    data = finite_data(x)
    if data.ndim != 4:
        raise ShapeError(f"x of shape {data.shape} must be (N, H, W, C)")
    size = out or output_size(data.shape, kernel, strides, before)
    mean = np.abs(data).mean(axis=3)
    need = [(size[i] - 1) * strides[i] + kernel[i] - before[i] - data.shape[1 + i] for i in (0, 1)]
    padded = np.pad(mean, ((0, 0), *((before[i], max(need[i], 0)) for i in (0, 1))))
    patches = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return patches[:, :: strides[0], :: strides[1]][:, : size[0], : size[1]].mean(axis=(3, 4))


def xnor_convolution(
    x: Any, w: Any, *, strides: Pair = (1, 1), before: Pair = (0, 0), out: Pair | None = None, threads: int = 1
) -> NDArray[np.float64]:
    """Convolution by xnor and popcount.

        y = (sign(x) conv sign(w)) * K * alpha,   alpha[o] = mean |w[o]|,   K = `input_scales`

    Parameters
    ----------
    x : real, shape (N, H, W, C)
    w : real, shape (O, FY, FX, C)
    strides, before, out : as of `input_scales`
    threads : int >= 1

    Returns
    -------
    float64, shape (N, OY, OX, O): exact integer sums, then the two scales

    Raises
    ------
    ShapeError          operands that do not fit
    CalibrationError    NaN or infinities

    Notes
    -----
    Rastegari et al. 2016, eq. (11): I conv W ~ (sign(I) xnor-conv sign(W)) . K alpha, sign(0) = +1. Padding adds 0.
    """
    data, weights = finite_data(x), finite_data(w)
    if data.ndim != 4 or weights.ndim != 4 or data.shape[3] != weights.shape[3]:
        raise ShapeError(
            f"x of shape {data.shape} and w of shape {weights.shape} must be (N, H, W, C) and (O, FY, FX, C)"
        )
    kernel = (weights.shape[1], weights.shape[2])
    size = out or output_size(data.shape, kernel, strides, before)
    signs = pack_bits(np.where(weights < 0, -1, 1).astype(np.int8).reshape(len(weights), -1))
    inputs = np.where(data < 0, -1, 1).astype(np.int8)
    sums = bit_convolution(inputs, signs, kernel=kernel, out=size, strides=strides, before=before, threads=threads)
    alpha = Binary().fit(weights, (1, 0, 0, 0)).levels[..., 1].reshape(-1).astype(np.float64)
    scales = input_scales(data, kernel=kernel, strides=strides, before=before, out=size)
    return sums * scales[..., None] * alpha


def output_size(shape: tuple[int, ...], kernel: Pair, strides: Pair, before: Pair) -> Pair:
    """Positions at which the kernel fits into the input padded by `before` on both sides."""
    free = [shape[1 + i] + 2 * before[i] - kernel[i] for i in (0, 1)]
    if min(free) < 0:
        raise ShapeError(f"a kernel of {kernel} does not fit into the input {shape} padded by {before}")
    return free[0] // strides[0] + 1, free[1] // strides[1] + 1
