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
    lanes = 2
    while lanes <= y.shape[-1] and lanes <= 64:
        if y.shape[-1] % lanes == 0:
            grouped = y.reshape(-1, lanes)
            yield Hypothesis(
                cause="order of results",
                detail=f"lanes of words of {lanes} in reverse order",
                values=grouped[:, ::-1].reshape(y.shape),
            )
            if lanes > 2:
                pairs = y.reshape(-1, 2, lanes // 2)
                yield Hypothesis(
                    cause="order of results",
                    detail=f"halves of words of {lanes} swapped",
                    values=pairs[:, ::-1].reshape(y.shape),
                )
        lanes *= 2
    if y.ndim == 4 and y.shape[1] == y.shape[2]:
        yield Hypothesis(cause="order of results", detail="rows and columns swapped", values=y.swapaxes(1, 2))
