"""Blocks: the boxes of a tensor whose elements share a value.

A block shape has one entry an axis: the size of a block along it, 0 for the whole axis. The last block of an axis may
be short. Values of the blocks have shape `count_blocks(shape, block)`.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


def count_blocks(shape: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    """Blocks along every axis; the last one of an axis may be ragged.

    >>> count_blocks((4, 10), (1, 3))
    (4, 4)
    """
    return tuple(-(-size // step) if step else 1 for size, step in zip(shape, block, strict=True))


def spread(values: NDArray[Any], block: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[Any]:
    """Values of the blocks, shape `count_blocks`, broadcastable against a tensor of `shape`."""
    for axis, (size, step) in enumerate(zip(shape, block, strict=True)):
        if step > 1:
            values = np.take(values, np.arange(size) // step, axis=axis)
    return values


def reduce_blocks(x: NDArray[Any], block: tuple[int, ...], by: np.ufunc) -> NDArray[Any]:
    """One value a block, such as its maximum: shape `count_blocks`.

    Parameters
    ----------
    x : array without an axis of size 0
    by : a ufunc of two operands whose order does not matter (np.minimum, np.maximum, np.add)

    >>> reduce_blocks(np.arange(5), (2,), np.maximum).tolist()
    [1, 3, 4]
    """
    for axis, step in enumerate(block):
        starts = range(0, int(x.shape[axis]), step or int(x.shape[axis]))
        x = by.reduceat(x, list(starts), axis=axis)
    return x


def split(x: NDArray[Any], block: tuple[int, ...]) -> list[tuple[NDArray[np.int64], NDArray[Any]]]:
    """The blocks as rows, those of one size together.

    Returns
    -------
    list of (numbers, rows): the blocks' numbers in C order of `count_blocks`, shape (blocks,), and their elements,
    shape (blocks, elements of a block); more than one pair where the last block of an axis is short

    >>> [(n.tolist(), rows.tolist()) for n, rows in split(np.arange(5), (2,))]
    [([0, 1], [[0, 1], [2, 3]]), ([2], [[4]])]
    """
    counts = count_blocks(x.shape, block)
    numbers = np.arange(prod(counts)).reshape(counts)
    pieces: list[tuple[NDArray[np.int64], NDArray[Any]]] = []
    for parts in product(*(_parts(size, step or size) for size, step in zip(x.shape, block, strict=True))):
        box = x[tuple(slice(first * step, first * step + many * size) for first, many, step, size in parts)]
        chosen = numbers[tuple(slice(first, first + many) for first, many, _, _ in parts)]
        folded = box.reshape([n for _, many, _, size in parts for n in (many, size)])
        order = (*range(0, folded.ndim, 2), *range(1, folded.ndim, 2))
        pieces.append((chosen.reshape(-1), folded.transpose(order).reshape(chosen.size, -1)))
    return pieces


def _parts(size: int, step: int) -> list[tuple[int, int, int, int]]:
    """Runs of equal blocks along one axis: first block, number of blocks, block size, size of these blocks."""
    whole = size // step if step else 0
    runs = [(0, whole, step, step)] if whole else []
    return [*runs, (whole, 1, step, size - whole * step)] if step and size % step else runs
