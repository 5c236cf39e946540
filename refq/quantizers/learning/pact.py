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

    Notes
    -----
    Choi et al. 2018, eq. (1)-(3) and section 3.2 (regularization). Starts at the largest value of the first batch.
    """

    bits: int = 4
    decay: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 16 or self.decay < 0:
            raise RangeError(f"bits={self.bits} must be in 1..16 and decay={self.decay} not negative")

    def start(self, x: Array, axis: int | None) -> Learned:
        return {"alpha": np.asarray(max(float(x.max()), _SMALLEST_LEVEL), x.dtype)}

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
