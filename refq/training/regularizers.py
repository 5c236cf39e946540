"""Terms and projections that draw real weights towards their grid."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from refq.quantizers.learning.gradual import Latent
from refq.quantizers.learning.protocol import Moment
from refq.training.network import Network, Values, channel_axis, learned_of


def _latent(network: Network) -> dict[str, Latent]:
    rules = {name: rule for name, rule in network.quantizers.items() if name in network.graph.constants}
    return {name: rule for name, rule in rules.items() if isinstance(rule, Latent)}


def proximal(network: Network, strength: float) -> Any:
    """A projection for `fit`: weights of `Latent` rules move towards the nearest level, further and further.

        w <- q(w) + sign(w - q(w)) * max(|w - q(w)| - strength * progress, 0)

    Notes
    -----
    Bai et al. 2019 (ProxQuant), section 3: the proximal step of the W-shaped regularizer |w - q(w)|, whose weight grows
    linearly; gradients are those at the real weights.
    """

    def project(values: Values, progress: float) -> Values:
        moved = dict(values)
        for name, rule in _latent(network).items():
            w = values[name]
            y, _, _ = rule.rule.apply(w, channel_axis(network.graph, name), learned_of(name, values), Moment())
            rest = w - y
            size = np.maximum(np.abs(rest) - w.dtype.type(strength * progress), 0)
            moved[name] = y + np.sign(rest) * size
        return moved

    return project


def sinusoidal(network: Network, strength: float) -> Any:
    """A penalty for `fit`: a sine whose zeros are the levels of weights on `Latent` rules.

        R = a * sum sin(pi w / step)**2,   dR/dw = a * (pi / step) sin(2 pi w / step),   a = strength * progress

    Notes
    -----
    Elthakeb et al. 2019 (SinReQ), eq. (2), for grids with a level at zero. The step is that of the rule's grid and
    counts as a constant.
    """

    def penalty(values: Values, progress: float) -> tuple[float, Values]:
        total, slopes = 0.0, {}
        for name, rule in _latent(network).items():
            w, axis = values[name], channel_axis(network.graph, name)
            _, _, grid = rule.rule.apply(w, axis, learned_of(name, values), Moment())
            if grid is None:
                continue
            step = grid.along(grid.scale, w.ndim).astype(w.dtype)
            weight = w.dtype.type(strength * progress)
            total += float(weight * (np.sin(pi * w / step) ** 2).sum())
            slopes[name] = (weight * w.dtype.type(pi) / step * np.sin(2 * pi * w / step)).astype(w.dtype)
        return total, slopes

    return penalty
