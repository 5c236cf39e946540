"""Differentiable soft quantization: steps drawn as curves of tanh, whose sharpness and interval are learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable

_SMALLEST_STEP = 1e-8
_LEAST, _MOST = 1e-3, 0.499


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftSteps(Trainable):
    """A uniform grid whose gradient is that of soft steps.

        t = (x - low) / step,   step = (high - low) / n,   n = 2**bits - 1,   i = floor(t),   r = t - i - 1/2
        soft(x) = low + step * (i + (1 + tanh(k r) / (1 - alpha)) / 2) inside,   low below,   high above
        k = log(2 / alpha - 1), so that tanh(k / 2) = 1 - alpha
        y = the level nearest to soft(x);   dx, dlow, dhigh, dalpha are those of soft(x)

    Parameters
    ----------
    bits : int in 2..8
    alpha : what it starts at, in (0, 1/2): the steps are the sharper the smaller it is

    Notes
    -----
    Gong et al. 2019 (DSQ), section 3: the function (eq. 3-7), its evolution to standard quantization (alpha is
    learned), the balance of clipping and rounding error (so is the interval), and training (forward sweeps round,
    backward ones see the curve). The interval starts at the extremes of the data. A grid needs a code for 0: `low`
    counts as the nearest whole number of steps; its gradient passes that rounding.
    """

    bits: int = 4
    alpha: float = 0.2

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8 or not 0 < self.alpha < 0.5:
            raise RangeError(f"bits={self.bits} must be in 2..8 and alpha={self.alpha} in (0, 0.5)")

    @property
    def takes_negative(self) -> bool:
        return True

    def start(self, x: Array, axis: int | None) -> Learned:
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        return {name: np.asarray(v, x.dtype) for name, v in (("low", low), ("high", high), ("alpha", self.alpha))}

    def _grid(self, learned: Learned) -> QParams:
        top = (1 << self.bits) - 1
        low, high = float(learned["low"]), float(learned["high"])
        step = max((high - low) / top, _SMALLEST_STEP)
        zero = int(np.clip(np.rint(-low / step), 0, top))
        return QParams(scale=step, zero_point=zero - (1 << (self.bits - 1)), bits=self.bits)

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        grid, top = self._grid(learned), (1 << self.bits) - 1
        alpha = float(np.clip(learned["alpha"], _LEAST, _MOST))

        def pull(dy: Array) -> tuple[Array, Learned]:
            t = x / x.dtype.type(grid.scale) + x.dtype.type(int(grid.zero_point) - grid.qmin)
            below, above = t < 0, t > top
            soft, slope, bend = soft_steps(np.clip(t, 0, top), alpha)
            slope = slope * ~(below | above)
            dlow = np.where(below, 1, np.where(above, 0, 1 - soft / top + slope * (t / top - 1)))
            dhigh = np.where(above, 1, np.where(below, 0, (soft - slope * t) / top))
            found = {"low": dlow, "high": dhigh, "alpha": float(grid.scale) * bend * ~(below | above)}
            return dy * slope, {name: np.asarray((dy * part).sum(), x.dtype) for name, part in found.items()}

        return fake_quantize(x, grid), pull, grid


def soft_steps(t: Array, alpha: float) -> tuple[Array, Array, Array]:
    """The curve i + (1 + tanh(k r) / (1 - alpha)) / 2 in steps, and its derivatives by t and by alpha."""
    real = t.dtype.type
    k = real(np.log(2 / alpha - 1))
    low = np.floor(t)
    r = t - low - real(0.5)
    curve = np.tanh(k * r)
    slope = k * (1 - curve**2) / real(2 * (1 - alpha))
    dk = real(-2 / (alpha * (2 - alpha)))  # of log(2 / alpha - 1)
    bend = (dk * r * (1 - curve**2) / real(1 - alpha) + curve / real((1 - alpha) ** 2)) / 2
    return low + (1 + curve / real(1 - alpha)) / 2, slope, bend
