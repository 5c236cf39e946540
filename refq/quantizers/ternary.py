"""Ternary: three levels, zero between a scale and its negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.levels import positive_scale, spread_means


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary:
    """Weights of two bits, codes -1, 0 and +1.

        code = sign(w) where |w| > delta, else 0;   delta = threshold * mean |w|,   alpha = mean |w| over |w| > delta

    Parameters
    ----------
    threshold : float >= 0

    Notes
    -----
    Ternary Weight Networks, Li et al. 2016, eq. (5)-(6): 0.7 mean |w| approximates the threshold of least squared
    error. It is not the middle between the levels, so codes do not follow from rounding and are stored.
    """

    bits: ClassVar[int] = 2
    threshold: float = 0.7

    def __post_init__(self) -> None:
        if not self.threshold >= 0:
            raise RangeError(f"threshold={self.threshold} must not be negative")

    def _kept(self, x: NDArray[Any], axis: int | None) -> NDArray[np.bool_]:
        size = np.abs(x).astype(np.float64)
        delta = self.threshold * spread_means(size, np.ones(x.shape, bool), axis)
        shape = [1] * x.ndim
        if axis is not None:
            shape[axis] = -1
        return size > delta.reshape(shape)

    def fit(self, x: NDArray[Any], axis: int | None) -> QParams:
        """The grid for data seen at once, one scale an index of `axis`."""
        scale = spread_means(np.abs(x), self._kept(x, axis), axis)
        return QParams(scale=positive_scale(scale), axis=axis, bits=2, narrow=True)

    def codes(self, x: NDArray[Any], grid: QParams) -> NDArray[Any]:
        """-1, 0 and +1 by the threshold."""
        return (np.sign(x) * self._kept(x, grid.axis)).astype(grid.dtype)

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """Any positive scale will do."""
        return positive_scale(scale)
