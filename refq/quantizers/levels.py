"""Scales of grids with few levels: means of magnitudes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError

_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def spread_means(size: NDArray[Any], kept: NDArray[np.bool_], axis: int | None) -> NDArray[np.float64]:
    """Mean of `size` where `kept`, over the tensor or for every index of `axis`; 0 where nothing is kept.

    Raises
    ------
    CalibrationError    empty data, NaN or infinities
    """
    if size.size == 0 or not np.all(np.isfinite(size)):
        raise CalibrationError(f"an array of shape {size.shape} has no finite values to take a scale from")
    others = None if axis is None else tuple(a for a in range(size.ndim) if a != axis)
    total = np.sum(np.where(kept, size, 0), axis=others, dtype=np.float64)
    return np.asarray(total / np.maximum(np.sum(kept, axis=others), 1))


def positive_scale(scale: Any) -> NDArray[np.float32]:
    """As float32, not below the smallest normal number."""
    return np.maximum(np.asarray(scale, np.float64), _SMALLEST_SCALE).astype(np.float32)
