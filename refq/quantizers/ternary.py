"""Ternary: three levels, zero between a scale and its negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels, block_numbers
from refq.quantizers.means import block_means, block_rows, channel_block, finite_data, positive_scale

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary:
    """Weights of two bits, codes -1, 0 and +1.

        code = sign(w) where |w| > delta, else 0;   delta = threshold * mean |w|,   alpha = mean |w| over |w| > delta

    Parameters
    ----------
    threshold : float >= 0, or None for the delta of least squared error

    Notes
    -----
    Ternary Weight Networks, Li et al. 2016, eq. (5)-(6): 0.7 mean |w| approximates the threshold of least squared
    error, which is argmax (sum of the kept |w|)**2 / kept (eq. 4). Only deltas between neighbours of the sorted |w|
    differ, so None finds it exactly by sorting. The threshold is not the middle between the levels, so codes do not
    follow from rounding and are stored.
    """

    bits: ClassVar[int] = 2
    multiplier: ClassVar[str] = "sign"
    threshold: float | None = 0.7

    def __post_init__(self) -> None:
        if self.threshold is not None and not self.threshold >= 0:
            raise RangeError(f"threshold={self.threshold} must not be negative")

    def _deltas(self, size: NDArray[np.float64], block: tuple[int, ...]) -> NDArray[np.float32]:
        if self.threshold is not None:
            return (self.threshold * block_means(size, None, block)).astype(np.float32)
        deltas = [optimal_delta(row) for row in block_rows(size, block)]
        return np.array(deltas, np.float32).reshape(count_blocks(size.shape, block))

    def _kept(self, size: NDArray[np.float64], block: tuple[int, ...]) -> NDArray[np.bool_]:
        deltas = self._deltas(size, block)
        return size.astype(np.float32) > deltas.reshape(-1)[block_numbers(deltas.shape, block, size.shape)]

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels -alpha, 0 and alpha of every block, thresholds -delta and delta.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        size = np.abs(finite_data(x))
        mean, delta = block_means(size, self._kept(size, block), block), self._deltas(size, block)
        alpha = positive_scale(np.where(mean > 0, mean, np.minimum(2.0 * delta.astype(np.float64), _LARGEST)))[
            ..., None
        ]  # out of reach where nothing is kept
        delta = np.minimum(delta[..., None], alpha)
        levels = np.concatenate([-alpha, np.zeros_like(alpha), alpha], axis=-1)
        # |w| = delta is 0 on both sides; a threshold itself belongs to the level below it
        limits = np.concatenate([np.nextafter(-delta, np.float32(-np.inf)), delta], axis=-1)
        return Levels(levels=levels, thresholds=limits, block=block)

    def qparams(self, x: Any, axis: int | None) -> QParams:
        """The same levels for codes -1, 0 and +1, one scale an index of `axis`."""
        size = np.abs(finite_data(x))
        block = channel_block(size.ndim, axis)
        scale = block_means(size, self._kept(size, block), block).reshape(() if axis is None else -1)
        return QParams(scale=positive_scale(scale), axis=axis, bits=2, narrow=True)

    def codes(self, x: NDArray[Any], grid: QParams) -> NDArray[Any]:
        """-1, 0 and +1 by the threshold."""
        size = np.abs(finite_data(x))
        return (np.sign(x) * self._kept(size, channel_block(size.ndim, grid.axis))).astype(grid.dtype)

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """Any positive scale will do."""
        return positive_scale(scale)


def optimal_delta(size: NDArray[np.float64]) -> float:
    """The threshold of least squared error: argmax over n of (sum of the n largest)**2 / n, then what lies below them.

    Parameters
    ----------
    size : magnitudes, shape (n,), n >= 1

    Notes
    -----
    Equal magnitudes are kept together: along a run of them the quotient is convex in n, largest at an end of the run.
    """
    ranked = np.sort(size.astype(np.float32).astype(np.float64))[::-1]
    kept = np.arange(1, len(ranked) + 1)
    gain = np.cumsum(ranked) ** 2 / kept
    best = int(np.argmax(gain))
    return float(ranked[best + 1]) if best + 1 < len(ranked) else 0.0
