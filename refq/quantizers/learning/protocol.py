"""What a quantizer is that a training run differentiates: a value and the gradient rule of its paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError
from refq.graph.qparams import QParams

Array = NDArray[Any]
Learned = dict[str, Array]
Pull = Callable[[Array], tuple[Array, Learned]]
"""dy -> (dx, gradients of the learned values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where training stands.

    Parameters
    ----------
    training : False where a network is only evaluated: nothing is drawn at random, nothing observed
    progress : part of all steps that is behind, in [0, 1]
    collects : normalization measures batches although nothing is trained, to have the statistics of what is deployed
    rng : for rules that draw
    curvature : positive, shape of the tensor: the optimizer's estimate of the loss's curvature in every weight; None
        where it has none
    """

    training: bool = False
    progress: float = 1.0
    collects: bool = False
    rng: np.random.Generator | None = None
    curvature: Array | None = None


class Trainable:
    """A quantizer with gradients.

    A subclass is a frozen dataclass. `apply` gives what the forward sweep uses and the gradient rule, `stored` what the
    deployed graph holds. Law: outside training, `apply` gives exactly the reals that the stored constant and grid stand
    for.

    Notes
    -----
    `observed` names learned values that are averages of what was seen, not parameters: `observe` moves them. `axis` is
    the axis of output channels of weights, None for activations; rules with one scale a tensor ignore it.
    `takes_negative` says of a rule for activations that it has levels below 0.
    """

    observed: frozenset[str] = frozenset()

    @property
    def takes_negative(self) -> bool:
        """Whether activations may be negative; else the rule stands behind a ReLU only."""
        return False

    def start(self, x: Array, axis: int | None) -> Learned:
        """First values of what is learned, from weights or from the first batch of activations."""
        return {}

    def observe(self, x: Array, learned: Learned, moment: Moment) -> Learned:
        """The observed values after one more batch."""
        return {}

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        """Reals on the grid, the gradient rule, and the grid (None where the levels are softer than one)."""
        raise NotImplementedError

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        """The constant of a deployed graph, reals or codes, and its grid; reals where rounding gives the codes."""
        _, _, grid = self.apply(x, axis, learned, Moment())
        if grid is None:
            raise GraphError(f"{type(self).__name__} has no grid outside training")
        return x, grid


def others(x: Array, axis: int | None) -> tuple[int, ...]:
    """The axes that share a scale."""
    return tuple(i for i in range(x.ndim) if axis is None or i != axis % x.ndim)


def along(values: Array, x: Array, axis: int | None) -> Array:
    """Values of channels, so that they broadcast against x."""
    if np.ndim(values) == 0 or axis is None:
        return values
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


def steps_of(x: Array, grid: QParams) -> Array:
    """x in steps, zero point added, not rounded: what the borders of the grid are compared with."""
    return x / grid.along(grid.scale, x.ndim).astype(x.dtype) + grid.along(grid.zero_point, x.ndim).astype(x.dtype)


def levels_above(bits: int) -> QParams:
    """The grid 0, 1 ... 2**bits - 1 of signed codes, for values that are never negative."""
    return QParams(scale=1.0, zero_point=-(1 << (bits - 1)) if bits > 1 else 0, bits=bits, signed=bits > 1)
