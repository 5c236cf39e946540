"""Batches: seeded shuffling and augmentation of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError

Array = NDArray[Any]
Augmentation = Callable[[Array, np.random.Generator], Array]


def batches(x: Any, y: Any, size: int, rng: np.random.Generator | None = None) -> Iterator[tuple[Any, Any]]:
    """One pass over the data in batches, shuffled where a generator is given; the last may be smaller.

    Parameters
    ----------
    x, y : array, or tuple of arrays that share their leading axis
    size : int >= 1
    rng : one permutation is drawn a pass

    Raises
    ------
    ShapeError    arrays of different lengths, or none
    RangeError    size below 1
    """
    count = samples(x, y)
    if size < 1:
        raise RangeError(f"batch size={size} must be at least 1")
    order = np.arange(count) if rng is None else rng.permutation(count)
    for start in range(0, count, size):
        rows = order[start : start + size]
        yield _rows(x, rows), _rows(y, rows)


def samples(x: Any, y: Any) -> int:
    """How many samples the arrays hold."""
    lengths = {len(part) for data in (x, y) for part in (data if isinstance(data, tuple) else (data,))}
    if len(lengths) != 1 or lengths == {0}:
        raise ShapeError(f"inputs and targets hold {sorted(lengths)} samples; every array needs the same number, not 0")
    return lengths.pop()


def _rows(data: Any, rows: NDArray[np.int64]) -> Any:
    return tuple(part[rows] for part in data) if isinstance(data, tuple) else data[rows]


def flip(x: Array, rng: np.random.Generator) -> Array:
    """Mirror half of the NHWC images left to right."""
    mirrored = rng.random(len(x)) < 0.5
    return np.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def pad_crop(margin: int) -> Augmentation:
    """Pad NHWC images by `margin` zeros on all sides and cut a window of the old size at a random place."""
    if margin < 1:
        raise RangeError(f"margin={margin} must be at least 1")

    def crop(x: Array, rng: np.random.Generator) -> Array:
        n, height, width, _ = x.shape
        padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        top, left = rng.integers(0, 2 * margin + 1, (2, n))
        rows = top[:, None] + np.arange(height)
        columns = left[:, None] + np.arange(width)
        return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]

    return crop


def chain(*steps: Augmentation) -> Augmentation:
    """One augmentation after another."""

    def run(x: Array, rng: np.random.Generator) -> Array:
        for step in steps:
            x = step(x, rng)
        return x

    return run
