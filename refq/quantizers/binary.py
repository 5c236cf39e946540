"""Binary: two levels, a scale times the sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.quantizers.levels import Levels
from refq.quantizers.means import block_means, channel_block, finite_data, positive_scale

JUST_BELOW_ZERO = np.nextafter(np.float32(0), np.float32(-1))
"""As a threshold: 0 lies above it, and every negative float32 does not."""


@dataclass(frozen=True, slots=True)
class Binary:
    """Values of one bit.

        w = alpha * sign(w),   alpha = mean |w|,   sign(0) = +1

    Notes
    -----
    Binary-Weight-Networks, Rastegari et al. 2016, section 3.1, eq. (6): the alpha that minimises the squared error for
    given signs; there one alpha a filter, which is a per-channel granularity here. Codes are -1 and +1 in a graph and
    follow from the sign, so that constants stay real; they are 0 and 1 as `Levels`. Hardware adds and subtracts, or
    counts bits (xnor) where both operands are binary; then it multiplies by alpha.
    """

    bits: ClassVar[int] = 1
    multiplier: ClassVar[str] = "sign"

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels -alpha and alpha of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        alpha = positive_scale(block_means(np.abs(finite_data(x)), None, block))[..., None]
        limits = np.full(alpha.shape, JUST_BELOW_ZERO)
        return Levels(levels=np.concatenate([-alpha, alpha], axis=-1), thresholds=limits, block=block)

    def qparams(self, x: Any, axis: int | None) -> QParams:
        """The same levels for codes -1 and +1, one scale an index of `axis`."""
        data = np.abs(finite_data(x))
        scale = block_means(data, None, channel_block(data.ndim, axis)).reshape(() if axis is None else -1)
        return QParams(scale=positive_scale(scale), axis=axis, bits=1)

    def codes(self, x: NDArray[Any], grid: QParams) -> None:
        """None: `quantize_array` finds them."""
        return None

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """Any positive scale will do."""
        return positive_scale(scale)
