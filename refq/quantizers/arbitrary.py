"""ArbitraryLevels: levels and thresholds that somebody chose, or that training finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refq.errors import RangeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.clipping import least_error_scale
from refq.quantizers.levels import Levels
from refq.quantizers.means import block_rows, finite_data


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbitraryLevels:
    """Any levels, the same ones in every block.

        Q(x) = s * levels[i]  for  s * thresholds[i - 1] < x <= s * thresholds[i]

    Parameters
    ----------
    levels : tuple of float, strictly ascending
    thresholds : tuple of float, one less, ascending, or None for the midpoints
    scaled : bool      False: s = 1. True: s is the scale of least squared error of each block

    Notes
    -----
    Gholami et al. 2021, eq. (6). Learnable levels and steps are such values: training replaces the tuples.
    """

    multiplier: ClassVar[str] = "lookup"
    levels: tuple[float, ...]
    thresholds: tuple[float, ...] | None = None
    scaled: bool = False

    def __post_init__(self) -> None:
        Levels(levels=self.levels, thresholds=self.thresholds)
        if self.scaled and not np.max(np.abs(self.levels)) > 0:
            raise RangeError(f"levels={self.levels} are all 0 and cannot be scaled")

    @classmethod
    def from_steps(cls, first: float, steps: tuple[float, ...], scaled: bool = False) -> ArbitraryLevels:
        """Levels from the first one and the positive steps between neighbours."""
        if not all(step > 0 for step in steps):
            raise RangeError(f"steps={steps} must be positive")
        return cls(levels=tuple(np.cumsum([first, *steps]).tolist()), scaled=scaled)

    @property
    def bits(self) -> int:
        """Width of a code."""
        return max(1, (len(self.levels) - 1).bit_length())

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels, scaled block by block where asked.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        counts = count_blocks(data.shape, block)
        scales = np.ones(counts)
        table = np.asarray(self.levels, np.float64)
        if self.scaled:
            largest = float(np.abs(table).max())
            found = np.array([least_error_scale(row, table / largest) / largest for row in block_rows(data, block)])
            scales = np.clip(np.where(found > 0, found, 1.0), 2.0**-100, 2.0**100).reshape(counts)
        limits = None if self.thresholds is None else scales[..., None] * np.asarray(self.thresholds)
        return Levels(levels=scales[..., None] * table, thresholds=limits, block=block)
