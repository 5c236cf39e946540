"""TernaryActivation: the activations of ternary-binary networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refq.errors import RangeError
from refq.quantizers.levels import Levels
from refq.quantizers.means import block_means, finite_data


@dataclass(frozen=True, slots=True, kw_only=True)
class TernaryActivation:
    """Activations of three levels.

        code = sign(x) where |x| > Delta, else 0;   Delta = delta * mean |x|

    Parameters
    ----------
    delta : float >= 0
    scaled : bool      False: the levels are -1, 0 and 1. True: -beta, 0 and beta, beta = mean |x| over |x| > Delta

    Notes
    -----
    Wan et al. 2018 (TBN), eq. (5)-(6): delta = 0.4, levels -1, 0, 1, beside weights of one bit and a scale
    (`Binary`). The product of both is `sign_matmul`: and, xor and popcount.
    """

    bits: ClassVar[int] = 2
    multiplier: ClassVar[str] = "sign"
    delta: float = 0.4
    scaled: bool = False

    def __post_init__(self) -> None:
        if not self.delta >= 0:
            raise RangeError(f"delta={self.delta} must not be negative")

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels and the thresholds -Delta and Delta of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        size = np.abs(finite_data(x))
        limit = (self.delta * block_means(size, None, block)).astype(np.float32)[..., None]
        beta = np.ones_like(limit)
        levels = np.concatenate([-beta, 0 * beta, beta], axis=-1)
        limits = np.concatenate([np.nextafter(-limit, np.float32(-np.inf)), limit], axis=-1)
        fitted = Levels(levels=levels, thresholds=limits, block=block)
        if not self.scaled:
            return fitted
        kept = block_means(size, fitted.quantize(x) != 1, block)[..., None]
        beta = np.maximum(np.where(kept > 0, kept, 1.0), np.maximum(limit, np.finfo(np.float32).tiny))
        return Levels(levels=levels * beta, thresholds=limits, block=block)
