"""Binary weights while training: BinaryConnect and BNN, BWN and XNOR-Net, IR-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from refq.graph.qparams import QParams
from refq.quantizers.apply import fake_quantize
from refq.quantizers.learning.estimators import Estimator, clipped, error_decay
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, along, others
from refq.quantizers.means import positive_scale

_REALS = QParams(scale=1 / 127, bits=8, narrow=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignWeights(Trainable):
    """Weights -1 and +1 of real ones that are kept.

        y = sign(w);   dw = dy where |w| <= 1, or what `estimator` says
        stochastic, while training:  y = +1 with probability clip((w + 1) / 2, 0, 1), else -1

    Parameters
    ----------
    stochastic : draw anew at every step of the training
    deployed : "signs", or "reals": outside training y = round(127 clip(w, -1, 1)) / 127, the mean of what is drawn on
        8 bits

    Notes
    -----
    Courbariaux et al. 2015 (BinaryConnect), eq. (1)-(3); Hubara et al. 2016 (BNN). Section 2.6 of the former tests
    networks of drawn weights with the real ones. Real weights fill [-1, 1] at the start, are clipped to it after every
    step (`refq.training.clip_latent`), and take longer steps than usual ones (`refq.training.glorot_factors`). Sums of
    drawn weights have a larger variance than those of their means: `fit(..., collect=True)` gives normalization the
    statistics of what is deployed, without which it is lost.
    """

    estimator: Estimator = clipped
    stochastic: bool = False
    deployed: Literal["signs", "reals"] = "signs"

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        grid = _REALS if self.deployed == "reals" and not moment.training else QParams(scale=1.0, bits=1)
        y = fake_quantize(x, grid)
        if self.stochastic and moment.training and moment.rng is not None:
            y = np.where(moment.rng.random(x.shape) < np.clip((x + 1) / 2, 0, 1), 1, -1).astype(x.dtype)
        return y, lambda dy: (self.estimator(dy, x, moment.progress), {}), grid


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledSignWeights(Trainable):
    """Weights of one bit and a scale a filter.

        y = alpha * sign(w),   alpha = mean|w| over a filter of n weights
        dw = dy * (1 / n + alpha * [|w| <= 1])

    Notes
    -----
    Rastegari et al. 2016 (BWN, XNOR-Net), eq. (6) and the gradient of section 3.1.
    """

    estimator: Estimator = clipped

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        shared = others(x, axis)
        grid = QParams(scale=positive_scale(np.abs(x.astype(np.float64)).mean(axis=shared)), axis=axis, bits=1)
        alpha = along(grid.scale, x, axis).astype(x.dtype)
        count = x.dtype.type(x.size // grid.scale.size)

        def pull(dy: Array) -> tuple[Array, Learned]:
            return dy / count + self.estimator(dy * alpha, x, moment.progress), {}

        return fake_quantize(x, grid), pull, grid


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationRetentionWeights(Trainable):
    """Balanced, standardized weights of one bit at a power of two.

        z = (w - mean w) / sigma of a filter;   y = sign(z) * 2**s,  s = round(log2(mean|z|))
        dz = 2**s * dy * (error decay estimator at z);  dw by the chain rule through mean and sigma

    Notes
    -----
    Qin et al. 2020 (IR-Net), eq. (5)-(8); sigma is that of the mean of squares.
    """

    estimator: Estimator = error_decay()

    def _standardized(self, x: Array, axis: int | None) -> tuple[Array, Array]:
        shared = others(x, axis)
        centred = x - x.mean(axis=shared, keepdims=True)
        sigma = np.sqrt((centred**2).mean(axis=shared, keepdims=True)).clip(1e-12)
        return centred / sigma, sigma

    def _grid(self, z: Array, axis: int | None) -> QParams:
        size = np.abs(z).mean(axis=others(z, axis)).clip(1e-12)
        return QParams(scale=2.0 ** np.rint(np.log2(size)), axis=axis, bits=1)

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        z, sigma = self._standardized(x, axis)
        grid, shared = self._grid(z, axis), others(x, axis)
        scale = along(grid.scale, x, axis).astype(x.dtype)

        def pull(dy: Array) -> tuple[Array, Learned]:
            dz = self.estimator(dy * scale, z, moment.progress)
            rest = dz - dz.mean(axis=shared, keepdims=True) - z * (dz * z).mean(axis=shared, keepdims=True)
            return rest / sigma, {}

        return fake_quantize(z, grid), pull, grid

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        z, _ = self._standardized(x, axis)
        return z, self._grid(z, axis)
