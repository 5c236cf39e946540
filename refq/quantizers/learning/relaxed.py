"""Relaxed quantization: codes as random variables with a density that can be differentiated."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable

_SMALLEST = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed(Trainable):
    """Weights as samples of a softened choice between levels; the step and the width of the noise are learned.

        p_i ~ S((step (i + 1/2) - w) / sigma) - S((step (i - 1/2) - w) / sigma),   S(e) = 1 / (1 + exp(-e))
        z = softmax over i of (log p_i + G_i) / temperature,   G Gumbel noise;   y = step * sum_i z_i i
        dw, dstep, dsigma by the chain rule through softmax and S

    Parameters
    ----------
    bits : int in 2..4; i runs over -2**(bits - 1) ... 2**(bits - 1) - 1
    temperature : of the concrete distribution, > 0

    Notes
    -----
    Louizos et al. 2019, section 2 and algorithm 1 (logistic noise, the mass of each level's interval, renormalized over
    the grid, the relaxed sample); Jang et al. 2017 (Gumbel-softmax), eq. (2). The renormalization is the same for all
    levels and drops out of the softmax. The nearest level, the likeliest one, is what is deployed. The step starts as
    LSQ's, sigma at a third of it.
    """

    bits: int = 4
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 4:
            raise RangeError(f"bits={self.bits} is outside 2..4: every weight is a choice between all levels")
        if not self.temperature > 0:
            raise RangeError(f"temperature={self.temperature} must be positive")

    def start(self, x: Array, axis: int | None) -> Learned:
        step = max(2 * float(np.abs(x).mean()) / sqrt((1 << (self.bits - 1)) - 1), _SMALLEST)
        return {"step": np.asarray(step, x.dtype), "sigma": np.asarray(step / 3, x.dtype)}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        step, sigma = (max(float(learned[name]), _SMALLEST) for name in ("step", "sigma"))
        grid = QParams(scale=step, bits=self.bits)
        if not moment.training or moment.rng is None:
            return (
                fake_quantize(x, grid),
                lambda dy: (dy, {name: np.zeros_like(v) for name, v in learned.items()}),
                grid,
            )
        levels = np.arange(grid.qmin, grid.qmax + 1, dtype=x.dtype)
        noise = np.asarray(moment.rng.gumbel(size=(*x.shape, levels.size)), x.dtype)
        y, slopes = relaxed(x, levels, x.dtype.type(step), x.dtype.type(sigma), noise, x.dtype.type(self.temperature))

        def pull(dy: Array) -> tuple[Array, Learned]:
            dx, dstep, dsigma = (dy * slope for slope in slopes)
            return dx, {"step": np.asarray(dstep.sum(), x.dtype), "sigma": np.asarray(dsigma.sum(), x.dtype)}

        return y, pull, grid


def relaxed(
    x: Array, levels: Array, step: Array, sigma: Array, noise: Array, temperature: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    """The relaxed sample of every element, and its derivatives by x, step and sigma.

    Parameters
    ----------
    x : real
    levels : shape (levels,), ascending integers
    noise : Gumbel noise, shape (*x.shape, levels)
    """
    half = x.dtype.type(0.5)
    edges = np.append(levels - half, levels[-1] + half)
    e = (step * edges - x[..., None]) / sigma
    below, above = _log_logistic(e), _log_logistic(-e)
    # S(b) - S(a) = S(b) S(-a) (1 - exp(a - b)), and b - a is the same for all levels
    logits = (below[..., 1:] + above[..., :-1] + noise) / temperature
    z = np.exp(logits - logits.max(axis=-1, keepdims=True))
    z /= z.sum(axis=-1, keepdims=True)
    mean = (z * levels).sum(axis=-1)
    weight = step / temperature * z * (levels - mean[..., None])  # dy / dlog p_i
    right, left = np.exp(above[..., 1:]), np.exp(below[..., :-1])  # 1 - S(b), S(a)

    def through(de: Array) -> Array:
        return (weight * (right * de[..., 1:] - left * de[..., :-1])).sum(axis=-1)

    by_x = through(np.broadcast_to(-1 / sigma, e.shape))
    by_step = mean + through(np.broadcast_to(edges / sigma, e.shape))
    return step * mean, (by_x, by_step, through(-e / sigma))


def _log_logistic(e: Array) -> Array:
    """log S(e) without overflow."""
    return np.minimum(e, 0) - np.log1p(np.exp(-np.abs(e)))
