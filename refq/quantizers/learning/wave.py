"""WaveQ: weights whose number of bits is learned, beside a sine that draws them to the levels."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable

_MOST = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveWeights(Trainable):
    """Weights in [-1, 1] on levels k / (2**b - 1), where b is a learned width rounded up.

        y = round((2**b - 1) clip(w, -1, 1)) / (2**b - 1),   b = ceil(beta),   beta = pace * width
        dw = dy where |w| <= 1; the width has its gradient from `refq.training.sinusoidal_widths`

    Parameters
    ----------
    bits : beta at the start, in [1, 7]; codes have b bits and a sign
    pace : bits a unit of the learned value, > 0: a bit is larger than a weight, and the steps of Adam have the size of
        the rate whatever the gradient

    Notes
    -----
    Elthakeb et al. 2020 (WaveQ): beta is a continuous number of bits of the layer, deployed as its ceiling;
    the forward sweep is that of WRPN (the regularizer comes on top of a rule for weights).
    """

    bits: float = 5.0
    pace: float = 4.0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= _MOST or not self.pace > 0:
            raise RangeError(f"bits={self.bits} must be in 1..{_MOST} and pace={self.pace} positive")

    def start(self, x: Array, axis: int | None) -> Learned:
        return {"width": np.asarray(self.bits / self.pace, x.dtype)}

    def beta(self, learned: Learned) -> float:
        """The number of bits, not rounded."""
        return float(np.clip(self.pace * float(learned["width"]), 1, _MOST))

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        width = ceil(self.beta(learned))
        grid = QParams(scale=1 / ((1 << width) - 1), bits=width + 1, narrow=True)
        return fake_quantize(x, grid), lambda dy: (dy * (np.abs(x) <= 1), {}), grid
