"""Weights that reach their grid by and by, or in part: alpha-blending, quantization noise, soft quantization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, steps_of
from refq.quantizers.learning.straight_through import StraightThrough
from refq.quantizers.uniform import Uniform


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftSteps(Trainable):
    """Steps drawn as tanh curves that sharpen: a quantizer with a derivative everywhere.

        y = scale * (n + (1 + tanh(k r) / tanh(k / 2)) / 2)
        n = floor(w / scale),   r = w / scale - n - 1/2,   zero point 0
        dw = dy * (k / 2) (1 - tanh(k r)**2) / tanh(k / 2);   k from `soft` to `hard`, in equal ratios

    Notes
    -----
    Gong et al. 2019 (differentiable soft quantization), eq. (3)-(7) with k given instead of learned. The range follows
    from the weights; the nearest level is what is deployed, and what every forward outside training uses.
    """

    grid: Uniform = Uniform(bits=4, symmetric=True, narrow=True)
    soft: float = 2.0
    hard: float = 20.0

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        rule = StraightThrough(grid=self.grid)
        y, pull, grid = rule.apply(x, axis, learned, moment)
        if not moment.training or grid is None:
            return y, pull, grid
        k = self.soft * (self.hard / self.soft) ** moment.progress
        steps = np.clip(steps_of(x, grid), grid.qmin, grid.qmax)
        low = np.floor(steps)
        curve = np.tanh(k * (steps - low - 0.5))
        edge = np.tanh(k / 2)
        soft = low + (1 + curve / edge) / 2
        soft = (soft - grid.along(grid.zero_point, x.ndim)) * grid.along(grid.scale, x.ndim)
        slope = (k / 2 * (1 - curve**2) / edge).astype(x.dtype)
        return soft.astype(x.dtype), lambda dy: (dy * slope, {}), grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return StraightThrough(grid=self.grid).stored(x, axis, learned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed(Trainable):
    """Random codes with a smooth density: weights as samples of a softened choice between levels.

        p_i = softmax over levels of -(w / scale - i)**2 / (2 sigma**2);   z = softmax((log p + Gumbel) / temperature)
        y = scale * sum z_i i;   gradients by the chain rule through the softmax

    Parameters
    ----------
    grid : Uniform, at most 4 bits
    sigma : width of the noise in steps
    temperature : of the concrete distribution, falls to a tenth of it in equal ratios

    Notes
    -----
    Louizos et al. 2019 (relaxed quantization), eq. (5)-(8), with a normal density at the levels in place of the
    logistic one over their intervals; Jang et al. 2017 (Gumbel-softmax), eq. (2). The nearest level is
    what is deployed.
    """

    grid: Uniform = Uniform(bits=4, symmetric=True, narrow=True)
    sigma: float = 0.3
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if self.grid.bits > 4:
            raise RangeError(f"bits={self.grid.bits}: every weight is a choice between all levels; 4 bits at most")

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        y, pull, grid = StraightThrough(grid=self.grid).apply(x, axis, learned, moment)
        if not moment.training or moment.rng is None or grid is None:
            return y, pull, grid
        real = x.dtype.type
        levels = np.arange(grid.qmin, grid.qmax + 1, dtype=x.dtype)
        steps = steps_of(x, grid)[..., None].astype(x.dtype)
        heat = real(self.temperature * 0.1**moment.progress)
        logits: Array = -((steps - levels) ** 2) / real(2 * self.sigma**2)
        noise: Array = np.asarray(moment.rng.gumbel(size=logits.shape), x.dtype)
        logits = (logits + noise) / heat
        z = np.exp(logits - logits.max(axis=-1, keepdims=True))
        z /= z.sum(axis=-1, keepdims=True)
        mean = (z * levels).sum(axis=-1)
        scale = grid.along(grid.scale, x.ndim).astype(x.dtype)
        # d logits / d steps = (i - steps) / (sigma**2 heat); terms equal at all levels drop out of the softmax
        slope = ((z * levels**2).sum(axis=-1) - mean**2) / (real(self.sigma**2) * heat)
        return (mean - grid.along(grid.zero_point, x.ndim)).astype(x.dtype) * scale, lambda dy: (dy * slope, {}), grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        return StraightThrough(grid=self.grid).stored(x, axis, learned)
