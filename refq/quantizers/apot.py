"""APoT: levels that are sums of a few powers of two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.clipping import least_error_scale
from refq.quantizers.levels import Levels
from refq.quantizers.means import block_rows, finite_data


@dataclass(frozen=True, slots=True, kw_only=True)
class APoT:
    """Additive powers of two: a sign and terms of k bits, each a power of two of its own set, or 0.

        level = +-gamma * sum_i p_i,   p_i in {0, 2**-i, 2**-(i+n), ..., 2**-(i + (2**k - 2) n)},   i = 0..n-1

    Parameters
    ----------
    bits : int in 2..16 (1..15 unsigned)
    term_bits : int >= 1      k: 1 makes the grid uniform; as large as all bits, it makes it powers of two
    signed : bool

    Raises
    ------
    RangeError    bits outside the range, or exponents so far apart that float32 cannot hold their sums

    Notes
    -----
    Li, Dong, Wang 2020, eq. (5)-(6); n = bits / k terms, the sign bit left out. Where k does not divide, the last term
    has the bits left over and its exponents lie evenly among those of the others: for 3 bits and k = 2 the terms are
    {0, 1, 1/2, 1/8} and {0, 1/4}, the authors' choice. gamma follows from the clipping value alpha = gamma * (largest
    sum), which the paper learns; `fit` takes the alpha of least squared error. Hardware adds shifted operands.

    >>> (APoT(bits=3).steps() / 4).tolist(), (APoT(bits=4).steps() / 8).tolist()
    ([0.0, 0.25, 0.5, 1.0], [0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.25])
    """

    multiplier: ClassVar[str] = "shift_add"
    bits: int = 4
    term_bits: int = 2
    signed: bool = True

    def __post_init__(self) -> None:
        low, high = (2, 16) if self.signed else (1, 15)
        if not low <= self.bits <= high:
            raise RangeError(f"bits={self.bits} of an additive grid is outside {low}..{high}")
        if self.term_bits < 1:
            raise RangeError(f"term_bits={self.term_bits} must be at least 1")
        span = max(map(max, self.exponents()))
        if span > (22 if len(self.exponents()) > 1 else 62):
            raise RangeError(
                f"bits={self.bits} with term_bits={self.term_bits} has exponents {span} apart, beyond float32 sums; "
                "use fewer term_bits"
            )

    def exponents(self) -> list[list[int]]:
        """-log2 of the nonzero values of every term."""
        free = self.bits - int(self.signed)
        full, rest = divmod(free, self.term_bits)
        if not full:
            full, rest, term = 1, 0, free
        else:
            term = self.term_bits
        rounds, extra = (1 << term) - 1, (1 << rest) - 1 if rest else 0
        terms: list[list[int]] = [[] for _ in range(full + (extra > 0))]
        after = [(j + 1) * rounds // (extra + 1) for j in range(extra)]
        following = 0
        for turn in range(rounds):
            for taker in [*range(full), *[full] * after.count(turn)]:
                terms[taker].append(following)
                following += 1
        return terms

    def steps(self) -> NDArray[np.int64]:
        """Magnitudes of the levels as integers, ascending from 0: sums of 2**(span - exponent)."""
        terms = self.exponents()
        span = max(map(max, terms))
        choices = [[0, *((1 << (span - e)) for e in term)] for term in terms]
        return np.array(sorted(map(sum, product(*choices))), np.int64)

    def shape_of_levels(self) -> NDArray[np.float64]:
        """The levels where the largest is 1."""
        terms = self.exponents()
        reals = np.array(sorted(map(sum, product(*[[0.0, *(2.0**-e for e in term)] for term in terms]))))
        reals /= reals[-1]
        return np.concatenate([-reals[:0:-1], reals]) if self.signed else reals

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels whose clipping value has the least squared error, block by block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data, shape = finite_data(x), self.shape_of_levels()
        alphas = [least_error_scale(row, shape) for row in block_rows(data, block)]
        return self.below(np.array(alphas).reshape(count_blocks(data.shape, block)), block)

    def below(self, highest: NDArray[np.float64], block: tuple[int, ...] | None) -> Levels:
        """The levels up to a clipping value, one a block; 0 takes the largest of all, or 1."""
        size = np.where(highest > 0, highest, highest.max() if highest.max() > 0 else 1.0)
        size = np.clip(size, 2.0**-100, 2.0**127)
        return Levels(levels=(size[..., None] * self.shape_of_levels()).astype(np.float32), block=block)
