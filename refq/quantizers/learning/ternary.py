"""Three levels while training: weights of TWN and TTQ, activations of TBN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array, fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable
from refq.quantizers.means import positive_scale
from refq.quantizers.ternary import Ternary

_STEPS = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class TernaryWeights(Trainable):
    """Weights -alpha, 0 and alpha of each filter: the levels of `Ternary`, fitted anew at every step; dw = dy.

    Notes
    -----
    Li et al. 2016 (TWN), algorithm 1: the gradient of the ternary weights updates the real ones.
    """

    levels: Ternary = Ternary()
    per_channel: bool = True

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        grid = self.levels.qparams(x, axis if self.per_channel else None)
        return self.levels.codes(x, grid), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self.stored(x, axis, learned)
        return dequantize_array(codes, grid, x.dtype), lambda dy: (dy, {}), grid


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTernaryWeights(Trainable):
    """Weights -Wn, 0 and Wp of a layer, both scales learned.

        y = Wp where w > delta,  -Wn where w < -delta,  else 0
        delta = threshold * max|w|,  or the magnitude below which the part `sparsity` of all weights lies
        dWp = sum dy over the first,  dWn = -sum dy over the second;   dw = Wp dy, Wn dy, dy there

    Parameters
    ----------
    threshold : float in [0, 1)
    sparsity : float in (0, 1), in place of the threshold; None to follow the threshold

    Notes
    -----
    Zhu et al. 2017 (TTQ), eq. (6)-(9), and both heuristics of its section on thresholds: a part of the largest weight
    suits weights of heavy tails, a constant sparsity any. Wp and Wn lie on an 8-bit grid, whose step is the larger one
    over 127, so that one requantizer serves both; gradients pass that rounding.
    """

    threshold: float = 0.05
    sparsity: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1 or (self.sparsity is not None and not 0 < self.sparsity < 1):
            raise RangeError(f"threshold={self.threshold} and sparsity={self.sparsity} must lie between 0 and 1")

    def _delta(self, x: Array) -> Array:
        size = np.abs(x)
        if self.sparsity is None:
            return self.threshold * size.max()
        return np.quantile(size, self.sparsity)

    def start(self, x: Array, axis: int | None) -> Learned:
        delta = self._delta(x)
        means = [side[side > delta].mean() if np.any(side > delta) else np.abs(x).mean() for side in (x, -x)]
        return {"positive": np.asarray(means[0], x.dtype), "negative": np.asarray(means[1], x.dtype)}

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        high, low = (max(float(learned[name]), 1e-8) for name in ("positive", "negative"))
        grid = QParams(scale=max(high, low) / _STEPS, bits=8, narrow=True)
        delta = self._delta(x)
        codes = np.where(x > delta, round(high / float(grid.scale)), 0)
        return np.where(x < -delta, -round(low / float(grid.scale)), codes).clip(-_STEPS, _STEPS).astype(np.int8), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self.stored(x, axis, learned)
        delta = self._delta(x)
        above, below = x > delta, x < -delta

        def pull(dy: Array) -> tuple[Array, Learned]:
            factor = np.where(above, learned["positive"], np.where(below, learned["negative"], 1)).astype(x.dtype)
            slopes = {"positive": (dy * above).sum(), "negative": -(dy * below).sum()}
            return dy * factor, {name: np.asarray(slope, x.dtype) for name, slope in slopes.items()}

        return dequantize_array(codes, grid, x.dtype), pull, grid


@dataclass(frozen=True, slots=True, kw_only=True)
class TernaryActivations(Trainable):
    """Activations of three levels, beside weights of one bit.

        y = 2 Delta * t,   t = sign(x) where |x| > Delta, else 0;   Delta = delta * (moving average of mean |x|)
        dt/dx = 1 where |x| <= 1, so that dx = 2 Delta * dy there

    Parameters
    ----------
    delta : float > 0
    momentum : float in [0, 1), of the average: size <- momentum * size + (1 - momentum) * mean |x|

    Notes
    -----
    Wan et al. 2018 (TBN), eq. (5)-(6): delta = 0.4, and the levels are t. Codes here are t as well; the grid has the
    step 2 Delta, since rounding to nearest changes the code at half a step. That factor, one a layer, is taken out by
    the normalization behind the layer. The paper measures mean |x| of the input at hand; an average over batches is
    what a grid can hold.
    """

    delta: float = 0.4
    momentum: float = 0.9

    observed = frozenset({"size"})

    @property
    def takes_negative(self) -> bool:
        return True

    def __post_init__(self) -> None:
        if not self.delta > 0 or not 0 <= self.momentum < 1:
            raise RangeError(f"delta={self.delta} must be positive and momentum={self.momentum} in [0, 1)")

    def start(self, x: Array, axis: int | None) -> Learned:
        return {"size": np.abs(x).mean()}

    def observe(self, x: Array, learned: Learned, moment: Moment) -> Learned:
        keep = x.dtype.type(self.momentum)
        return {"size": np.asarray(keep * learned["size"] + (1 - keep) * np.abs(x).mean())}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        grid = QParams(scale=positive_scale(2 * self.delta * float(learned["size"])), bits=2, narrow=True)
        slope = x.dtype.type(grid.scale) * (np.abs(x) <= 1)
        return fake_quantize(x, grid), lambda dy: (dy * slope, {}), grid
