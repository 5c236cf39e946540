"""Straight-through estimators on uniform grids whose range follows from weights or from what is observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from refq.errors import RangeError
from refq.graph.qparams import QParams
from refq.numerics.rounding import RoundingMode
from refq.quantizers.apply import fake_quantize
from refq.quantizers.float_passes import pass_on_grid
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, others
from refq.quantizers.uniform import Uniform

Passing = Literal["identity", "clipped"]


def straight_through(x: Array, grid: QParams, passing: Passing) -> Pull:
    """dy -> dy everywhere ("identity"), or only where the grid did not clip ("clipped")."""
    if passing == "identity":
        return lambda dy: (dy, {})
    return lambda dy: (pass_on_grid(dy, x, grid), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightThrough(Trainable):
    """Weights that stay real and are rounded anew at every step, on the grid over their smallest and largest value.

        forward:  y = scale * (clip(round(w / scale) + zero_point, qmin, qmax) - zero_point)
        backward: dw = dy ("identity"), or dy where w lies on the grid's interval ("clipped")

    Parameters
    ----------
    grid : Uniform
    per_channel : one scale an output channel
    passing : the gradient rule
    rounding : "stochastic" rounds at random while training, to the nearest outside

    Notes
    -----
    Bengio et al. 2013; Gholami et al. 2021, section III-G.1, eq. (2). Stochastic rounding: Gupta et al. 2015.
    """

    grid: Uniform = Uniform(bits=8, symmetric=True, narrow=True)
    per_channel: bool = True
    passing: Passing = "identity"
    rounding: RoundingMode = "half_even"

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        channels = axis if self.per_channel else None
        shared = others(x, channels)
        grid = self.grid.qparams(x.min(axis=shared), x.max(axis=shared), channels)
        if self.rounding == "stochastic" and moment.training:
            y = fake_quantize(x, grid, "stochastic", moment.rng)
        else:
            y = fake_quantize(x, grid)
        return y, straight_through(x, grid, self.passing), grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged(Trainable):
    """Activations on the grid over a moving average of the extremes of batches.

        low <- momentum * low + (1 - momentum) * min x,  high likewise;   dx = dy where x lies inside (or everywhere)

    Parameters
    ----------
    grid : Uniform
    momentum : float in [0, 1)
    delay : part of the training before which nothing is rounded, though observed
    freeze : part of the training after which the averages stay
    passing : the gradient rule

    Notes
    -----
    Jacob et al. 2018, section 3.1: averages with a parameter near 1, and no rounding of activations at the start, where
    ranges move fast.
    """

    grid: Uniform = Uniform(bits=8)
    momentum: float = 0.9
    delay: float = 0.0
    freeze: float = 1.0
    passing: Passing = "clipped"

    observed = frozenset({"low", "high"})

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise RangeError(f"momentum={self.momentum} is outside [0, 1)")

    @property
    def takes_negative(self) -> bool:
        return True

    def start(self, x: Array, axis: int | None) -> Learned:
        return {"low": np.asarray(x.min()), "high": np.asarray(x.max())}

    def observe(self, x: Array, learned: Learned, moment: Moment) -> Learned:
        if moment.progress >= self.freeze:
            return {}
        keep = x.dtype.type(self.momentum)
        seen = self.start(x, None)
        return {name: np.asarray(keep * learned[name] + (1 - keep) * seen[name]) for name in seen}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        grid = self.grid.qparams(learned["low"], learned["high"])
        if moment.training and moment.progress < self.delay:
            return x, lambda dy: (dy, {}), grid
        return fake_quantize(x, grid), straight_through(x, grid, self.passing), grid
