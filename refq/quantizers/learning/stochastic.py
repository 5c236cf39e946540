"""Stochastic neurons: units that are drawn, and two estimators of their gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import GraphError, RangeError
from refq.quantizers.learning.estimators import Estimator
from refq.quantizers.learning.protocol import Array, Moment

_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class StochasticSign:
    """Units -1 and +1 that are drawn while training, in place of the sign (`sign=` of `refq.training.quantized`).

        P(y = +1) = p = 1 / (1 + exp(-steepness * a));   outside training y = sign(a), the likelier of both
        with an estimator, straight through:  da = estimator(dy)
        without one, unbiased:  da = steepness * (h - p) * (L - L0) / N,   h = (y + 1) / 2

    Parameters
    ----------
    estimator : of the gradient; None: the unbiased one, which needs no derivative of what lies behind the unit
    steepness : of the probability, > 0; 1 as published

    Notes
    -----
    Bengio, Leonard & Courville 2013, Theorem 1: (h - sigm(a)) L has the gradient of the expected loss as its mean,
    with any constant taken from L; L0 = E[(h - p)**2 L] / E[(h - p)**2] gives the least variance. The straight-through
    estimator is the biased alternative. N is the size of the batch, whose mean loss is differentiated; L0 of a sample
    is taken over the others, so that it does not depend on the sample's own draw. Where units take part in batch
    statistics, samples are not independent, and the unbiased estimator leaves that path out.
    """

    estimator: Estimator | None = None
    steepness: float = 1.0

    def __post_init__(self) -> None:
        if not self.steepness > 0:
            raise RangeError(f"steepness={self.steepness} must be positive")

    @property
    def is_unbiased(self) -> bool:
        """Whether the gradient follows from the losses of samples."""
        return self.estimator is None

    def probability(self, x: Array) -> Array:
        """P(y = +1)."""
        return (1 / (1 + np.exp(np.clip(-self.steepness * x, -80, 80)))).astype(x.dtype)

    def draw(self, x: Array, moment: Moment) -> Array:
        """The units of a batch."""
        if not moment.training or moment.rng is None:
            return np.where(x >= 0, 1, -1).astype(x.dtype)
        return np.where(moment.rng.random(x.shape) < self.probability(x), 1, -1).astype(x.dtype)

    def slope(self, dy: Array, x: Array, y: Array, losses: Array | None, moment: Moment) -> Array:
        """The gradient of what the units were drawn from.

        Parameters
        ----------
        dy, x, y : gradient of the units, what lay before them, and the units, shape (N, ...)
        losses : shape (N,), for the unbiased estimator
        """
        if self.estimator is not None:
            return self.estimator(dy, x, moment.progress)
        if losses is None:
            raise GraphError("the unbiased estimator of drawn units needs the losses of samples: train with `fit`")
        score = (y + 1) / 2 - self.probability(x)
        value = losses.astype(np.float64).reshape(-1, *(1,) * (x.ndim - 1))
        weight = score.astype(np.float64) ** 2
        rest = weight.sum(axis=0) - weight
        mean: Array = (value.sum(axis=0) - value) / max(len(x) - 1, 1)  # where no other sample has a weight
        others: Array = ((weight * value).sum(axis=0) - weight * value) / np.maximum(rest, _LEAST)
        base: Array = np.where(rest > _LEAST, others, mean)
        slope: Array = self.steepness * score * (value - base) / len(x)
        return slope.astype(x.dtype)
