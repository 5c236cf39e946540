"""What every range is: an observer of data in batches, and the interval it chooses from what it saw."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refq.errors import CalibrationError
from refq.quantizers.uniform import Uniform

Limits = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Low and high, one each a row (a block of the tensor), low <= high."""


class Range(Protocol):
    """How an interval is chosen from data that arrives in batches.

        state = None;  state = range.observe(state, batch) ...;  low, high = range.limits(state, grid)

    Batches are rows, shape (blocks, values): every row has an interval of its own. `merge` of the states of two halves
    equals the state of the whole, where the method has no order of batches in its definition (`MovingAverage` has one,
    and no `merge`).
    """

    def observe(self, state: Any, x: NDArray[Any]) -> Any:
        """What is kept after one more batch; `state` is None before the first.

        Raises
        ------
        CalibrationError    an empty batch, NaN or infinities
        """
        ...

    def limits(self, state: Any, grid: Uniform) -> Limits:
        """The interval of every row, for a grid."""
        ...


def finite_rows(x: NDArray[Any]) -> NDArray[Any]:
    """The batch as rows, or an error that says what is wrong with it.

    Raises
    ------
    CalibrationError    no values, no real numbers, NaN or infinities
    """
    rows = np.atleast_2d(x)
    if rows.dtype.kind not in "fiub":
        raise CalibrationError(f"an array of type {rows.dtype} has no real values to take a range from")
    if rows.size == 0:
        raise CalibrationError(f"an array of shape {x.shape} has no values to take a range from")
    with np.errstate(over="ignore"):
        ends = np.array([rows.min(), rows.max()]).astype(np.float32)
    if not np.all(np.isfinite(ends)):
        raise CalibrationError("the values hold NaN or infinities; a range needs finite ones")
    return rows
