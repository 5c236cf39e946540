"""TrainedTernary: three levels with a scale of its own for each sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.levels import Levels, read_codes
from refq.quantizers.means import block_rows, finite_data, positive_scale
from refq.quantizers.ternary import optimal_delta


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTernary:
    """Weights of three levels, the outer ones learned.

        level = Wp where w > delta,  0 where |w| <= delta,  -Wn where w < -delta;   delta = threshold * max |w|

    Parameters
    ----------
    threshold : float in [0, 1), or None      None: for each sign the delta of least squared error

    Notes
    -----
    Zhu et al. 2017 (TTQ), eq. (6) and (9), where threshold = 0.05. `fit` gives Wp and Wn the least-squares values,
    which are the means of the weights they stand for; training goes on from there with `trained_ternary_gradients`.
    Hardware adds and subtracts, then multiplies by Wp and Wn.
    """

    bits: ClassVar[int] = 2
    multiplier: ClassVar[str] = "sign"
    threshold: float | None = 0.05

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise RangeError(f"threshold={self.threshold} is outside [0, 1)")

    def fit(self, x: Any, block: tuple[int, ...]) -> Levels:
        """The levels -Wn, 0 and Wp of every block.

        Raises
        ------
        CalibrationError    empty data, NaN or infinities
        """
        data = finite_data(x)
        rows = [self._table(row.astype(np.float32).astype(np.float64)) for row in block_rows(data, block)]
        counts = count_blocks(data.shape, block)
        levels = np.array([row[0] for row in rows], np.float32).reshape(*counts, 3)
        limits = np.array([row[1] for row in rows], np.float32).reshape(*counts, 2)
        return Levels(levels=levels, thresholds=limits, block=block)

    def _table(self, row: NDArray[np.float64]) -> tuple[list[float], list[float]]:
        ends: list[tuple[float, float]] = []
        for size in (np.maximum(-row, 0), np.maximum(row, 0)):
            delta = optimal_delta(size) if self.threshold is None else self.threshold * float(np.abs(row).max())
            kept = size[size > np.float32(delta)]
            scale = float(positive_scale(kept.mean() if len(kept) else min(2.0 * delta, 3e38)))
            ends.append((min(float(np.float32(delta)), scale), scale))
        (low, wn), (high, wp) = ends
        return [-wn, 0.0, wp], [float(np.nextafter(np.float32(-low), np.float32(-np.inf))), high]


def trained_ternary_gradients(dy: Any, fitted: Levels, codes: Any) -> tuple[NDArray[np.float64], float, float]:
    """Gradients of the latent weights and of both scales, from the gradient of the quantized weights.

        dWp = sum of dy where the level is Wp,   dWn = -sum of dy where it is -Wn
        dw = Wp * dy, dy, Wn * dy  where the level is Wp, 0, -Wn

    Parameters
    ----------
    dy : real, the shape of codes
    fitted : Levels of one block
    codes : 0, 1 or 2

    Returns
    -------
    (dw, dWp, dWn)

    Notes
    -----
    Zhu et al. 2017, eq. (7)-(8). dWn has the sign that follows from -Wn being the level.
    """
    numbers, slope = read_codes(codes, 3), np.asarray(dy, np.float64)
    if fitted.levels.size != 3 or slope.shape != numbers.shape:
        raise ShapeError(f"gradients of shape {slope.shape} need codes of that shape on three levels of one block")
    low, _, high = fitted.levels.reshape(-1).astype(np.float64)
    factor = np.array([-low, 1.0, high])[numbers]
    return slope * factor, float(slope[numbers == 2].sum()), -float(slope[numbers == 0].sum())
