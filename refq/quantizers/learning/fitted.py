"""Weights on levels that are fitted to them anew at every step: ABC-Net, powers of two, LQ-Nets and other grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable


class LevelGrid(Protocol):
    """A grid with levels of its own, see `refq.quantizers`."""

    def fit(self, x: Any, block: tuple[int, ...]) -> Any:
        """The levels of every block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLevelWeights(Trainable):
    """Weights on the nearest of levels that follow from them.

        y = round(level(w) / scale) * scale,   scale = max |level| / (2**(held - 1) - 1) of a filter;   dw = dy

    Parameters
    ----------
    levels : a grid of `refq.quantizers` that is not uniform, such as ABCWeights(bits=3) or APoT(bits=4)
    held : bits of the integers that stand for levels in a deployed graph; training sees these very levels
    per_channel : levels of an output channel, else of the layer

    Notes
    -----
    Straight-through estimator. For ABC-Net (Lin et al. 2017, section 3.1.1) the bases and their least-squares factors
    are found before every forward sweep, as its algorithm 1 does.
    """

    levels: LevelGrid
    held: int = 8
    per_channel: bool = True

    def __post_init__(self) -> None:
        if not 4 <= self.held <= 16:
            raise RangeError(f"held={self.held} is outside 4..16")

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        channels = axis if self.per_channel else None
        whole = channels is None
        block = tuple(int(not whole and i == channels) for i in range(x.ndim))  # 0 stands for the whole axis
        fitted = self.levels.fit(x, block)
        real: Array = np.asarray(fitted.dequantize(fitted.quantize(x)), np.float64)
        shared = tuple(i for i in range(x.ndim) if whole or i != channels)
        top = (1 << (self.held - 1)) - 1
        scale = np.maximum(np.abs(real).max(axis=shared) / top, 1e-30)
        grid = QParams(scale=scale, axis=channels, bits=self.held, narrow=True)
        codes = np.rint(real / grid.along(grid.scale, x.ndim).astype(np.float64))
        return np.clip(codes, -top, top).astype(grid.dtype), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self.stored(x, axis, learned)
        return dequantize_array(codes, grid, x.dtype), lambda dy: (dy, {}), grid
