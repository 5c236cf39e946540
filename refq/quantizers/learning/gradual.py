"""Weights that reach their grid by and by, or in part: alpha-blending, quantization noise, latent weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable
from refq.quantizers.learning.straight_through import StraightThrough


@dataclass(frozen=True, slots=True, kw_only=True)
class Blended(Trainable):
    """Weights between real and quantized: y = (1 - a) w + a q(w),  dw = (1 - a) dy.

        a = 1 - (1 - t)**3 with t = progress / until, 1 from there on, where the gradient passes straight

    Parameters
    ----------
    rule : Trainable without learned values
    until : part of the training at whose end a is 1

    Notes
    -----
    Liu & Mattina 2019 (alpha-blending), eq. (3)-(5): no gradient of q is needed while a < 1.
    """

    rule: Trainable = StraightThrough()
    until: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise RangeError(f"until={self.until} is outside (0, 1]")

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        y, pull, grid = self.rule.apply(x, axis, learned, moment)
        rest = max(0.0, 1 - moment.progress / self.until) ** 3 if moment.training else 0.0
        if rest == 0:
            return y, pull, grid
        keep = x.dtype.type(rest)
        return keep * x + (1 - keep) * y, lambda dy: (keep * dy, {}), grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return self.rule.stored(x, axis, learned)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationNoise(Trainable):
    """A random part of the weights is quantized in each forward: y = q(w) with probability `rate`, else w.

        dw = dy where w is kept, the rule's gradient where it is quantized

    Parameters
    ----------
    rule : Trainable
    rate : float in (0, 1]

    Notes
    -----
    Fan et al. 2021 (Quant-Noise), section 4.1, blocks of one weight; the gradients of kept weights have no bias.
    """

    rule: Trainable = StraightThrough()
    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise RangeError(f"rate={self.rate} is outside (0, 1]")

    def start(self, x: Array, axis: int | None) -> Learned:
        return self.rule.start(x, axis)

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        y, pull, grid = self.rule.apply(x, axis, learned, moment)
        if not moment.training or moment.rng is None:
            return y, pull, grid
        chosen = moment.rng.random(x.shape) < self.rate

        def noisy(dy: Array) -> tuple[Array, Learned]:
            dx, slopes = pull(dy * chosen)
            return np.where(chosen, dx, dy), slopes

        return np.where(chosen, y, x), noisy, grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return self.rule.stored(x, axis, learned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent(Trainable):
    """Weights that train as reals and are put on the grid outside training only: y = w,  dw = dy.

    Notes
    -----
    For methods that draw weights to the grid by other means: `refq.training.proximal`, `refq.training.sinusoidal`.
    """

    rule: Trainable = StraightThrough()

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        if moment.training:
            return x, lambda dy: (dy, {}), None
        return self.rule.apply(x, axis, learned, moment)

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return self.rule.stored(x, axis, learned)
