"""What a quantizer is that a training run differentiates: a value and the gradient rule of its paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    rng : for rules that draw
    """

    training: bool = False
    progress: float = 1.0
    rng: np.random.Generator | None = None


class Trainable:
    """A quantizer with gradients.

    A subclass is a frozen dataclass. `apply` gives what the forward sweep uses and the gradient rule, `stored` what the
    deployed graph holds. Law: outside training, `apply` gives exactly the reals that the stored constant and grid stand
    for.

    Notes
    -----
    `observed` names learned values that are averages of what was seen, not parameters: `observe` moves them.
    """

    observed: frozenset[str] = frozenset()

    def start(self, x: Array, axis: int | None) -> Learned:
        """First values of what is learned, from weights or from the first batch of activations.

        Parameters
        ----------
        x : real
        axis : output channels of weights that have a scale each, None per tensor
        """
        return {}

    def observe(self, x: Array, learned: Learned, moment: Moment) -> Learned:
        """The observed values after one more batch."""
        return {}

    def apply(self, x: Array, learned: Learned, moment: Moment) -> tuple[Array, Pull]:
        """Reals on the grid, and the gradient rule."""
        raise NotImplementedError

    def grid(self, learned: Learned) -> QParams | None:
        """The grid of the result; None where training leaves grids for softer levels."""
        raise NotImplementedError

    def stored(self, x: Array, learned: Learned) -> tuple[Array, QParams]:
        """The constant of a deployed graph, reals or codes, and its grid."""
        raise NotImplementedError
