"""Accumulator bounds: how far a sum of products can get, whatever the input, and the width that always holds it.

    high = sum over k of max(0, (x_max - z_x) * w_k, (x_min - z_x) * w_k) + max(0, b),   w_k = w_q[k] - z_w
    low  = the same with min

Every partial sum, in any order of summation and with the bias added at any point, lies in [low, high]; both ends are
reached by some input, so that no narrower accumulator is safe. Skipped terms and padding contribute 0 and change
nothing, since a zero point is itself a code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import QParams


def accumulator_range(
    w_q: NDArray[Any], x_grid: QParams, b_q: NDArray[Any] | None = None, w_zero: Any = 0, axis: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest partial sum of each output channel.

    Parameters
    ----------
    w_q : integer codes, any shape; all elements of one index of `axis` belong to one output
    x_grid : QParams    grid of the activations; its whole range of codes may occur
    b_q : integer codes, shape (channels,), or None
    w_zero : zero point of w, a scalar or one a channel
    axis : the axis of w_q that runs over output channels

    Returns
    -------
    low, high : int64, shape (channels,), low <= 0 <= high

    >>> low, high = accumulator_range(np.array([[2, -3]], np.int8), QParams(scale=1.0), np.array([10]))
    >>> low.tolist(), high.tolist()
    ([-637], [648])
    """
    w = np.moveaxis(w_q.astype(np.int64), axis, 0).reshape(w_q.shape[axis], -1)
    w = w - np.reshape(np.asarray(w_zero, np.int64), (-1, 1))
    zero = int(x_grid.zero_point)
    positive, negative = np.maximum(w, 0).sum(axis=1), np.minimum(w, 0).sum(axis=1)
    up, down = x_grid.qmax - zero, x_grid.qmin - zero
    b = np.zeros(len(w), np.int64) if b_q is None else b_q.astype(np.int64)
    low = up * negative + down * positive + np.minimum(b, 0)
    high = up * positive + down * negative + np.maximum(b, 0)
    return low, high


def accumulator_bits(
    w_q: NDArray[Any], x_grid: QParams, b_q: NDArray[Any] | None = None, w_zero: Any = 0, axis: int = 0
) -> NDArray[np.int64]:
    """The narrowest signed accumulator of each output channel that no input can overflow.

    Parameters and notes as in `accumulator_range`; a layer needs the largest of them.

    >>> accumulator_bits(np.array([[2, -3], [0, 0]], np.int8), QParams(scale=1.0)).tolist()
    [11, 1]
    """
    return signed_bits(*accumulator_range(w_q, x_grid, b_q, w_zero, axis))


def signed_bits(low: Any, high: Any) -> NDArray[np.int64]:
    """Bits of the narrowest two's complement integer that holds [low, high].

    >>> signed_bits([-128, -129, 0], [127, 0, 0]).tolist()
    [8, 9, 1]
    """
    pairs = zip(np.ravel(low).tolist(), np.ravel(high).tolist(), strict=True)
    bits = [1 + max((~least if least < 0 else least).bit_length(), most.bit_length()) for least, most in pairs]
    return np.array(bits, np.int64).reshape(np.shape(low))
