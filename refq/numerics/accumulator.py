"""Accumulator: the register a sum of products lives in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import AccumulatorOverflowError, RangeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulator:
    """Width of the accumulator and what happens past its ends.

    Parameters
    ----------
    bits : int in 8..64
    overflow : wrap (two's complement), saturate (at the end of the sum) or raise

    >>> Accumulator(bits=8, overflow="wrap").fit(np.array([200])).tolist()
    [-56]
    """

    bits: int = 32
    overflow: Literal["wrap", "saturate", "raise"] = "raise"

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 64:
            raise RangeError(f"accumulator bits={self.bits} is outside 8..64")

    def fit(self, sums: NDArray[Any]) -> NDArray[np.int64]:
        """Bring exact sums (int64) into the register.

        Raises
        ------
        AccumulatorOverflowError    with overflow="raise", naming the extreme sum
        """
        sums = np.asarray(sums, np.int64)
        if self.bits == 64 or sums.size == 0:
            return sums
        low, high = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        smallest, largest = int(sums.min()), int(sums.max())
        if low <= smallest and largest <= high:
            return sums
        if self.overflow == "wrap":
            return ((sums - low) & ((1 << self.bits) - 1)) + low
        if self.overflow == "saturate":
            return np.clip(sums, low, high)
        worst = smallest if smallest < low else largest
        raise AccumulatorOverflowError(
            f"a sum of {worst} does not fit an accumulator of {self.bits} bits; "
            "choose a wider one, or overflow='wrap' or 'saturate'"
        )
