"""Accumulator: the register a sum of products lives in."""

from __future__ import annotations

from collections.abc import Iterable
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
    overflow : wrap (two's complement), saturate or raise
    order : when overflow is looked for. "end": once, on the exact sum. "sequential": at every addition; the register
        starts with the bias, then product terms follow in the layer's stated order (kernel rows, kernel columns, input
        channels). Wrapping gives the same in any order, and a sum that cannot overflow is exact in both

    >>> Accumulator(bits=8, overflow="wrap").fit(np.array([200])).tolist()
    [-56]
    >>> register = Accumulator(bits=8, overflow="saturate", order="sequential")
    >>> register.add_up(100, [np.array([50]), np.array([-60])]).tolist()
    [67]
    """

    bits: int = 32
    overflow: Literal["wrap", "saturate", "raise"] = "raise"
    order: Literal["end", "sequential"] = "end"

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 64:
            raise RangeError(f"accumulator bits={self.bits} is outside 8..64")
        if self.overflow not in ("wrap", "saturate", "raise"):
            raise RangeError(f"overflow={self.overflow!r} is not one of wrap, saturate, raise")
        if self.order not in ("end", "sequential"):
            raise RangeError(f"order={self.order!r} is not one of end, sequential")

    def follows_terms(self, bound: int) -> bool:
        """Whether sums of at most `bound` in magnitude depend on the terms one by one, not on their total alone."""
        return self.order == "sequential" and self.overflow != "wrap" and bound >= 1 << (self.bits - 1)

    def add_up(self, start: Any, terms: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
        """The register after `start` and every term have been added, fitted after each addition.

        Parameters
        ----------
        start : integers that broadcast against the terms (a bias; 0 where there is none)
        terms : integer arrays of one shape
        """
        register = self.fit(np.asarray(start, np.int64))
        for term in terms:
            register = self.fit(register + term)
        return register

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
