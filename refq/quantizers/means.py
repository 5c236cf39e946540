"""Scales of grids with few levels: means of magnitudes over blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import block_numbers

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def finite_data(x: Any) -> NDArray[np.float64]:
    """As float64, or an error that says what is wrong with it.

    Raises
    ------
    CalibrationError    empty data, NaN or infinities in float32
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise CalibrationError(f"an array of type {array.dtype} has no real values to take a scale from")
    with np.errstate(over="ignore"):
        if array.size == 0 or not np.all(np.isfinite(array.astype(np.float32))):
            raise CalibrationError(f"an array of shape {array.shape} has no finite values to take a scale from")
    return array.astype(np.float64)


def block_rows(x: NDArray[Any], block: tuple[int, ...]) -> list[NDArray[Any]]:
    """The elements of every block, one row a block in C order; elements of a row in C order."""
    counts = count_blocks(x.shape, block)
    place = np.broadcast_to(block_numbers(counts, block, x.shape), x.shape).reshape(-1)
    order = np.argsort(place, kind="stable")
    sizes = np.bincount(place, minlength=int(np.prod(counts)))
    return np.split(x.reshape(-1)[order], np.cumsum(sizes)[:-1])


def block_means(
    size: NDArray[np.float64], kept: NDArray[np.bool_] | None, block: tuple[int, ...]
) -> NDArray[np.float64]:
    """Mean of `size` where `kept` (None: everywhere) over every block; 0 where nothing is kept."""
    counts = count_blocks(size.shape, block)
    place = np.broadcast_to(block_numbers(counts, block, size.shape), size.shape).reshape(-1)
    weight = np.ones(size.size) if kept is None else kept.reshape(-1).astype(np.float64)
    number = int(np.prod(counts))
    total = np.bincount(place, np.where(weight > 0, size.reshape(-1), 0), number)
    return (total / np.maximum(np.bincount(place, weight, number), 1)).reshape(counts)


def channel_block(ndim: int, axis: int | None) -> tuple[int, ...]:
    """One block an index of `axis`, or one for the tensor."""
    return tuple(int(axis is not None and i == axis % ndim) for i in range(ndim))


def positive_scale(scale: Any) -> NDArray[np.float32]:
    """As float32, not below the smallest normal number."""
    return np.maximum(np.asarray(scale, np.float64), _SMALLEST_SCALE).astype(np.float32)


def within_float32(scale: NDArray[np.float32], steps: Any) -> NDArray[np.float32]:
    """The scale, lowered where `steps` of it would leave float32.

    Parameters
    ----------
    steps : int >= 0, broadcastable against the scale     the largest distance of a code from zero
    """
    bound = float(np.finfo(np.float32).max) / np.maximum(np.asarray(steps, np.float64), 1.0)
    rounded = bound.astype(np.float32)
    below = np.where(rounded > bound, np.nextafter(rounded, np.float32(0)), rounded)
    return np.minimum(scale, below)
