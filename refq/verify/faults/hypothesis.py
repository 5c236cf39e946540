"""What a hypothesis is, and the classes of causes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A cause and what it would give.

    cause : class of the fault, one of `CAUSES`
    detail : the fault in words
    values : what hardware with this fault gives, in the shape of the tensor
    """

    cause: str
    detail: str
    values: NDArray[Any]


CAUSES = (
    "rounding",
    "clamp",
    "zero point",
    "shift",
    "multiplier",
    "bias",
    "accumulator width",
    "sign extension",
    "padding",
    "dropped terms",
    "stale accumulator",
    "operand order",
    "order of results",
    "timing",
    "unknown value",
    "missing results",
)


def lane_counts(channels: int) -> Iterator[int]:
    """Sizes of words that channels may be grouped into."""
    return (lanes for lanes in (2, 4, 8, 16, 32, 64) if lanes < channels)


def first_lane(values: NDArray[Any], lanes: int) -> NDArray[Any]:
    """Every channel with the value of the first of its group of `lanes`."""
    return values[np.arange(len(values)) // lanes * lanes]


def wrap(values: Wide, bits: int) -> Wide:
    """Two's complement of `bits` bits."""
    half = np.int64(1) << (bits - 1)
    return ((values + half) & ((np.int64(1) << bits) - 1)) - half
