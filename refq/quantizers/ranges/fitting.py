"""A range applied to a tensor seen at once, block by block."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.quantizers.blocks import count_blocks, split
from refq.quantizers.ranges.protocol import Limits, Range, finite_rows
from refq.quantizers.uniform import Uniform


def fit_limits(range: Range, x: NDArray[Any], block: tuple[int, ...], grid: Uniform) -> Limits:
    """The interval of every block, shape `count_blocks(x.shape, block)`.

    Raises
    ------
    CalibrationError    empty data, NaN or infinities
    """
    finite_rows(x.reshape(1, -1))
    counts = count_blocks(x.shape, block)
    low, high = np.empty(prod(counts)), np.empty(prod(counts))
    for numbers, rows in split(x, block):
        low[numbers], high[numbers] = range.limits(range.observe(None, rows), grid)
    return low.reshape(counts), high.reshape(counts)
