"""QIL: a learned interval of magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable

_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class QilWeights(Trainable):
    """Weights whose small magnitudes are pruned and large ones clipped, both limits learned.

        z = sign(w) * clip((|w| - c + d) / (2 d), 0, 1);   y = round((2**(bits - 1) - 1) z) / (2**(bits - 1) - 1)
        inside the interval: dw = dy / (2 d),  dc = -sum dy sign(w) / (2 d),  dd = -sum dy sign(w) (|w| - c) / (2 d**2)

    Parameters
    ----------
    bits : int in 2..8

    Notes
    -----
    Jung et al. 2019, eq. (2)-(4), with gamma = 1; y lies in [-1, 1] and wants a normalization behind it. It starts at
    c = d = mean|w| sqrt(2**(bits - 1) - 1), the interval of LSQ's first step: in one up to max|w| most weights
    would be pruned at 2 bits.
    """

    bits: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise RangeError(f"bits={self.bits} is outside 2..8")

    def start(self, x: Array, axis: int | None) -> Learned:
        mean, top = float(np.abs(x).mean()), (1 << (self.bits - 1)) - 1
        half = np.asarray(max(mean * sqrt(top), _SMALLEST), x.dtype)
        return {"centre": half, "distance": half}

    def _inside(self, x: Array, learned: Learned) -> tuple[Array, float, float]:
        centre, distance = float(learned["centre"]), max(float(learned["distance"]), _SMALLEST)
        return (np.abs(x) - x.dtype.type(centre - distance)) / x.dtype.type(2 * distance), centre, distance

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        z, _, _ = self._inside(x, learned)
        top = (1 << (self.bits - 1)) - 1
        grid = QParams(scale=1 / top, bits=self.bits, narrow=True)
        return (np.sign(x) * np.rint(top * np.clip(z, 0, 1))).astype(grid.dtype), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self.stored(x, axis, learned)
        z, centre, distance = self._inside(x, learned)
        inside = (z > 0) & (z < 1)

        def pull(dy: Array) -> tuple[Array, Learned]:
            dx = dy * inside / x.dtype.type(2 * distance)
            signed = dx * np.sign(x)
            dd = -(signed * (np.abs(x) - x.dtype.type(centre))).sum() / distance
            return dx, {"centre": np.asarray(-signed.sum(), x.dtype), "distance": np.asarray(dd, x.dtype)}

        return dequantize_array(codes, grid, x.dtype), pull, grid
