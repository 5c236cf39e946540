"""Scheme: a quantizer as a value of four orthogonal parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode
from refq.quantizers.apply import Fitted, quantize_array
from refq.quantizers.binary import Binary
from refq.quantizers.granularity import Granularity, PerChannel, PerTensor
from refq.quantizers.ranges import MinMax, Range, fit_limits
from refq.quantizers.ternary import Ternary
from refq.quantizers.uniform import Uniform


class LevelGrid(Protocol):
    """A grid whose levels follow from the data and not from a range."""

    def fit(self, x: Any, block: tuple[int, ...]) -> Any:
        """The levels of every block."""
        ...


Grid = Uniform | LevelGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Which levels exist, who shares a scale, how the range is chosen, how a real falls on the grid.

    Parameters
    ----------
    grid : Uniform, or a grid with levels of its own (Binary, Ternary, APoT ...), which take no range and round to the
        nearest level
    granularity : Granularity
    range : Range
    rounding : RoundingMode

    >>> import numpy as np
    >>> round(float(Scheme(grid=Uniform(bits=8, symmetric=True, narrow=True)).fit(np.array([-1.27, 0.5])).scale), 4)
    0.01
    """

    grid: Grid = Uniform()
    granularity: Granularity = PerTensor()
    range: Range = MinMax()
    rounding: RoundingMode = "half_even"

    def fit(self, x: NDArray[Any]) -> Any:
        """The grid for data seen at once.

        Returns
        -------
        QParams on a uniform grid, and for Binary and Ternary per tensor or per channel; else the grid's own value, such
        as `Levels`

        Raises
        ------
        CalibrationError    data that is empty or not finite
        """
        x = np.asarray(x)
        is_blocked = not isinstance(self.granularity, PerTensor | PerChannel)
        axis = None if isinstance(self.granularity, PerTensor) else self._axis(x.ndim)
        block = self.granularity.block(x.ndim)
        if not isinstance(self.grid, Uniform):
            if isinstance(self.grid, Binary | Ternary) and not is_blocked:
                return self.grid.qparams(x, axis)
            return self.grid.fit(x, block)
        low, high = fit_limits(self.range, x, block, self.grid)
        if is_blocked:
            return self.grid.qparams(low, high, block=block)
        shape = () if axis is None else (-1,)
        return self.grid.qparams(low.reshape(shape), high.reshape(shape), axis)

    def _axis(self, ndim: int) -> int | None:
        return self.granularity.channel_axis(ndim) if isinstance(self.granularity, PerTensor | PerChannel) else None

    def admissible_scale(self, scale: Any) -> NDArray[np.float32]:
        """The smallest scale the grid may have that is not below `scale`."""
        grid = self.grid if isinstance(self.grid, Uniform | Binary | Ternary) else Uniform()
        return grid.admissible_scale(scale)

    def stored_codes(self, x: NDArray[Any], grid: QParams) -> NDArray[Any] | None:
        """Codes that a grid and rounding alone would not give; None where they would."""
        return self.grid.codes(x, grid) if isinstance(self.grid, Binary | Ternary) else None

    def quantize(self, x: NDArray[Any], rng: np.random.Generator | int | None = None) -> tuple[Any, NDArray[Any]]:
        """The grid for `x`, and the codes of `x` on it; `rng` as in `quantize_array`."""
        fitted: Fitted = self.fit(x)
        codes = self.stored_codes(x, fitted) if isinstance(fitted, QParams) else None
        return fitted, quantize_array(x, fitted, self.rounding, rng) if codes is None else codes
