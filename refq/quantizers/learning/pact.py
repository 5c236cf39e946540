"""PACT: a learned clipping level of activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, levels_above

_SMALLEST_LEVEL = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pact(Trainable):
    """Activations behind a ReLU, clipped at a level that is learned.

        y = round(clip(x, 0, alpha) * (2**bits - 1) / alpha) * alpha / (2**bits - 1)
        dalpha = sum dy where x >= alpha,  plus 2 * decay * alpha;   dx = dy where 0 < x < alpha

    Parameters
    ----------
    bits : int in 1..16
    decay : weight of alpha**2 in the loss
    initial : float > 0, first alpha; None: the largest value of the first batch

    Notes
    -----
    Choi et al. 2018, eq. (1)-(3) and section 3.2: alpha starts large (10) and the decay brings it down, so that what
    lies below is not clipped before the weights fit it. Adam moves all values by about the rate: on the way from 10
    to 1 alpha needs longer steps than weights, `refq.training.scaled`. SGD sums them over all activations.
    """

    bits: int = 4
    decay: float = 0.0
    initial: float | None = None

    def __post_init__(self) -> None:
        if self.initial is not None and not self.initial > 0:
            raise RangeError(f"initial={self.initial} must be positive")
        if not 1 <= self.bits <= 16 or self.decay < 0:
            raise RangeError(f"bits={self.bits} must be in 1..16 and decay={self.decay} not negative")

    def start(self, x: Array, axis: int | None) -> Learned:
        alpha = float(x.max()) if self.initial is None else self.initial
        return {"alpha": np.asarray(max(alpha, _SMALLEST_LEVEL), x.dtype)}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        alpha = max(float(learned["alpha"]), _SMALLEST_LEVEL)
        base = levels_above(self.bits)
        grid = QParams(
            scale=alpha / ((1 << self.bits) - 1), zero_point=base.zero_point, bits=self.bits, signed=base.signed
        )

        def pull(dy: Array) -> tuple[Array, Learned]:
            slope = (dy * (x >= alpha)).sum() + 2 * self.decay * alpha
            return dy * ((x > 0) & (x < alpha)), {"alpha": np.asarray(slope, x.dtype)}

        return fake_quantize(x, grid), pull, grid
