"""Binary: two levels, a scale times the sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.quantizers.levels import positive_scale, spread_means


@dataclass(frozen=True, slots=True)
class Binary:
    """Weights of one bit.

        w = alpha * sign(w),   alpha = mean |w|,   sign(0) = +1

    Notes
    -----
    Binary-Weight-Networks, Rastegari et al. 2016, section 3.1, eq. (6): the alpha that minimises the squared error for
    given signs; there one alpha a filter, which is a per-channel granularity here. Codes are -1 and +1 and follow from
    the sign, so that constants stay real.
    """

    bits: ClassVar[int] = 1

    def fit(self, x: NDArray[Any], axis: int | None) -> QParams:
        """The grid for data seen at once, one scale an index of `axis`."""
        scale = spread_means(np.abs(x), np.ones(x.shape, bool), axis)
        return QParams(scale=positive_scale(scale), axis=axis, bits=1)

    def codes(self, x: NDArray[Any], grid: QParams) -> None:
        """None: `quantize_array` finds them."""
        return None

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """Any positive scale will do."""
        return positive_scale(scale)
