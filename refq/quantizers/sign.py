"""Sign: one bit at a scale that does not follow the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refq.errors import RangeError
from refq.quantizers.binary import JUST_BELOW_ZERO
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels
from refq.quantizers.means import finite_data


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """The sign, at a fixed scale.

        deterministic: +alpha where x >= 0, else -alpha
        stochastic:    +alpha with probability clip((x / alpha + 1) / 2, 0, 1)   (`Levels.quantize_stochastic`)

    Parameters
    ----------
    alpha : float > 0

    Notes
    -----
    Courbariaux et al. 2015 (BinaryConnect), eq. (1)-(3), where alpha = 1; Hubara et al. 2016 for activations. Hardware
    adds and subtracts, or counts bits where both operands are binary.
    """

    bits: ClassVar[int] = 1
    multiplier: ClassVar[str] = "sign"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 2.0**-126 <= self.alpha < 2.0**127:
            raise RangeError(f"alpha={self.alpha} must be a positive normal number")

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The same two levels in every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        counts = count_blocks(finite_data(x).shape, block)
        levels = np.broadcast_to(np.array([-self.alpha, self.alpha], np.float32), (*counts, 2))
        return Levels(levels=levels, thresholds=np.full((*counts, 1), JUST_BELOW_ZERO), block=block)
