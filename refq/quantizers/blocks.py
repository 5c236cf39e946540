"""Blocks: the boxes of a tensor whose elements share a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def count_blocks(shape: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    """Blocks along every axis; the last one of an axis may be ragged."""
    return tuple(-(-size // step) if step else 1 for size, step in zip(shape, block, strict=True))


def spread(values: NDArray[Any], block: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[Any]:
    """Values of the blocks, shape `count_blocks`, broadcastable against a tensor of `shape`."""
    for axis, (size, step) in enumerate(zip(shape, block, strict=True)):
        if step > 1:
            values = np.take(values, np.arange(size) // step, axis=axis)
    return values
