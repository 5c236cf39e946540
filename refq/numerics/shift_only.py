"""Means where every scale is a power of two: one shift to the left, one integer division.

    y = (sum << max(k, 0)) / (n << max(-k, 0)) + z_y,   s_x / s_y = 2**k,   the quotient rounded half away from zero

A multiplier would have to hold 1 / n, which is no power of two; a divider, or a table of n, is what such hardware has.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph import QParams
from refq.numerics.arithmetic import Arithmetic


def power_of_two(real: float) -> int:
    """k with real = 2**k; RangeError if there is none.

    >>> power_of_two(0.125)
    -3
    """
    mantissa, exponent = frexp(real)
    if mantissa != 0.5:
        raise RangeError(f"multiplier={real} is not a power of two; quantize with power-of-two scales")
    return exponent - 1


def divide_with_shift(total: NDArray[np.int64], k: int, count: int) -> NDArray[np.int64]:
    """total * 2**k / count, rounded half away from zero.

    >>> divide_with_shift(np.array([-5, 5, 6]), 1, 4).tolist()
    [-3, 3, 3]
    """
    numerator, denominator = np.abs(total) << max(k, 0), count << min(max(-k, 0), 40)
    return np.sign(total) * ((2 * numerator + denominator) // (2 * denominator))


def mean(
    layer: Any, codes: Sequence[Any], grids: Sequence[QParams], out: QParams, arithmetic: Arithmetic
) -> NDArray[np.int64]:
    """Mean over the layer's axes."""
    x, grid, axes = codes[0], grids[0], layer.reduced(codes[0].shape)
    count = prod(x.shape[axis] for axis in axes)
    total = x.sum(axis=axes, keepdims=layer.keepdims, dtype=np.int64) - count * int(grid.zero_point)
    total = arithmetic.accumulator_for(grid.bits).fit(total)
    return divide_with_shift(total, power_of_two(float(grid.scale) / float(out.scale)), count) + out.zero_point


def average(
    layer: Any, codes: Sequence[Any], grids: Sequence[QParams], out: QParams, arithmetic: Arithmetic
) -> NDArray[np.int64]:
    """Mean of several inputs: each is shifted to the finest of their scales, where the sum is exact."""
    finest = min(float(grid.scale) for grid in grids)
    aligned = [
        (q.astype(np.int64) - grid.zero_point) << power_of_two(float(grid.scale) / finest)
        for q, grid in zip(codes, grids, strict=True)
    ]
    total = np.asarray(sum(aligned[1:], aligned[0]))
    return divide_with_shift(total, power_of_two(finest / float(out.scale)), len(codes)) + out.zero_point
