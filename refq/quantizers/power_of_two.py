"""PowerOfTwo: levels that are signed powers of two, and zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.quantizers.binary import JUST_BELOW_ZERO
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels, midpoints
from refq.quantizers.means import block_rows, finite_data

LOWEST_EXPONENT = -126
"""Of normal float32 numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwo:
    """Logarithmic grid: a code is a sign and an exponent, one exponent code stands for zero.

        level in {0, +-2**n, +-2**(n - 1), ..., +-2**(n - count + 1)},   count = 2**(bits - 1) - 1
        domain linear:  n = floor(log2(4 max|x| / 3)), nearest level
        domain log:     n = round(log2 max|x|), 2**round(log2 |x|) clipped to the lowest exponent; only 0 becomes 0

    Parameters
    ----------
    bits : int in 2..8 (1..7 unsigned)
    signed : bool      False: no sign bit, count = 2**bits - 1 (activations after ReLU)
    domain : linear or log      where the nearest level is meant

    Notes
    -----
    log: Miyashita et al. 2016, eq. (3)-(4), LogQuant. linear: Zhou et al. 2017 (INQ), eq. (1)-(4), whose threshold
    between 2**k and 2**(k+1) is the middle 1.5 * 2**k. The largest exponent is raised where the lowest would leave the
    normal float32 numbers. Hardware shifts instead of multiplying.
    """

    multiplier: ClassVar[str] = "shift"
    bits: int = 4
    signed: bool = True
    domain: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        low, high = (2, 8) if self.signed else (1, 7)
        if not low <= self.bits <= high:
            raise RangeError(f"bits={self.bits} of a power-of-two grid is outside {low}..{high}")
        if self.domain not in ("linear", "log"):
            raise RangeError(f"domain={self.domain!r} is neither 'linear' nor 'log'")

    @property
    def count(self) -> int:
        """Exponents."""
        return (1 << (self.bits - int(self.signed))) - 1

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels below the largest magnitude of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        size = np.abs(data) if self.signed else np.maximum(data, 0)
        highest = [float(row.max()) for row in block_rows(size, block)]
        return self.below(np.array(highest).reshape(count_blocks(data.shape, block)), block)

    def below(self, highest: NDArray[np.float64], block: tuple[int, ...] | None) -> Levels:
        """The levels for magnitudes up to `highest`, one number a block; 0 takes the largest of all, or 1."""
        size = np.where(highest > 0, highest, highest.max() if highest.max() > 0 else 1.0)
        if self.domain == "linear":
            top = np.frexp(size * (4 / 3))[1] - 1
        else:
            top = np.floor(np.log2(size) + 0.5).astype(np.int64)
        top = np.clip(top, LOWEST_EXPONENT + self.count - 1, 127)
        powers = np.ldexp(1.0, top[..., None] - np.arange(self.count)[::-1]).astype(np.float32)
        zero = np.zeros((*powers.shape[:-1], 1), np.float32)
        levels = np.concatenate([-powers[..., ::-1], zero, powers] if self.signed else [zero, powers], axis=-1)
        return Levels(levels=levels, thresholds=self._thresholds(levels, powers), block=block)

    def _thresholds(self, levels: NDArray[np.float32], powers: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.domain == "linear":
            return midpoints(levels)
        between = (powers[..., :-1].astype(np.float64) * 2.0**0.5).astype(np.float32)
        zero = np.zeros((*powers.shape[:-1], 1), np.float32)
        if not self.signed:
            return np.concatenate([zero, between], axis=-1)
        return np.concatenate([-between[..., ::-1], zero + JUST_BELOW_ZERO, zero, between], axis=-1)
