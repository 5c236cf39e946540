"""Right values in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.verify.faults.hypothesis import Hypothesis


def of_order(y: NDArray[Any]) -> Iterator[Hypothesis]:
    """Right values in the wrong place."""
    flat = y.reshape(-1)
    for places, words in ((1, "one place late"), (-1, "one place early")):
        yield Hypothesis(cause="timing", detail=words, values=np.roll(flat, places).reshape(y.shape))
    if y.ndim >= 2:
        rows = y.reshape(-1, y.shape[-1])
        for places, words in ((1, "one word late"), (-1, "one word early")):
            yield Hypothesis(cause="timing", detail=words, values=np.roll(rows, places, axis=0).reshape(y.shape))
        yield Hypothesis(cause="order of results", detail="channels in reverse order", values=y[..., ::-1])
    for size in (2, 4, 8, 16, 32, 64):
        if size < 2 * y.shape[-1]:
            yield Hypothesis(
                cause="order of results",
                detail=f"lanes of words of {size} in reverse order",
                values=_turned(y.reshape(-1, y.shape[-1]).T, size).T.reshape(y.shape),
            )
        if size < 2 * (y.size // y.shape[-1]):
            yield Hypothesis(
                cause="order of results",
                detail=f"rows of tiles of {size} in reverse order",
                values=_turned(y.reshape(-1, y.shape[-1]), size).reshape(y.shape),
            )
        if size > 2 and y.size % size == 0:
            yield Hypothesis(
                cause="order of results",
                detail=f"halves of words of {size} swapped",
                values=y.reshape(-1, 2, size // 2)[:, ::-1].reshape(y.shape),
            )
    if y.ndim == 4 and y.shape[1] == y.shape[2]:
        yield Hypothesis(cause="order of results", detail="rows and columns swapped", values=y.swapaxes(1, 2))


def _turned(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Every group of `size` rows in reverse order; what would come from beyond the end stays."""
    places = np.arange(len(rows))
    turned = places // size * size + size - 1 - places % size
    return rows[np.where(turned < len(rows), turned, places)]
