"""Terms and projections that draw real weights towards their grid."""

from __future__ import annotations

from math import ceil, log, pi
from typing import Any, TypeVar

import numpy as np

from refq.errors import GraphError
from refq.quantizers.learning.gradual import Latent
from refq.quantizers.learning.protocol import Moment, Trainable
from refq.quantizers.learning.wave import WaveWeights
from refq.training.network import Network, Values, channel_axis, learned_of

_Rule = TypeVar("_Rule", bound=Trainable)


def _weights(network: Network, kind: type[_Rule]) -> dict[str, _Rule]:
    """The weights on rules of a kind."""
    found = {
        name: rule
        for name, rule in network.quantizers.items()
        if name in network.graph.constants and isinstance(rule, kind)
    }
    folded = [name for name in found if network.latent(name) != name]
    if folded:
        raise GraphError(f"weights {folded} are folded at every step; a penalty on their levels needs another `fold`")
    return found


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
        for name, rule in _weights(network, Latent).items():
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
        for name, rule in _weights(network, Latent).items():
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


def sinusoidal_widths(network: Network, strength: float, cost: float, settle: float = 0.5) -> Any:
    """A penalty for `fit`: a sine whose zeros are the levels of `WaveWeights`, its period learned for every layer.

        R = a * sum over layers of sum sin(pi w v)**2 / 2**beta + cost * sum beta,   v = 2**beta - 1
        dR/dw = a * pi v sin(2 pi w v) / 2**beta
        dR/dbeta = cost + a * log 2 * sum (pi w sin(2 pi w v) - sin(pi w v)**2 / 2**beta)
        a = strength * progress / settle, at most strength

    Parameters
    ----------
    strength, cost : lambda_w and lambda_beta
    settle : part of the training after which beta stays, at its ceiling, and weights move to the levels of that grid

    Notes
    -----
    Elthakeb et al. 2020 (WaveQ), the regularizer R_1 whose amplitude falls as 2**-beta, so that its gradient by beta
    neither vanishes nor explodes; lambda_w rises, and lambda_beta acts until widths are settled.
    """
    rules = _weights(network, WaveWeights)

    def penalty(values: Values, progress: float) -> tuple[float, Values]:
        total, slopes = 0.0, {}
        amplitude = strength * min(1.0, progress / settle)
        for name, rule in rules.items():
            w, is_settled = values[name].astype(np.float64), progress >= settle
            beta = rule.beta(learned_of(name, values))
            beta = float(ceil(beta)) if is_settled else beta
            v, share = 2**beta - 1, 2**-beta
            sine, double = np.sin(pi * w * v) ** 2, np.sin(2 * pi * w * v)
            total += amplitude * share * float(sine.sum()) + cost * beta
            slopes[name] = (amplitude * share * pi * v * double).astype(values[name].dtype)
            if not is_settled:
                found = cost + amplitude * log(2) * float((pi * w * double - share * sine).sum())
                slopes[f"{name}//width"] = np.asarray(rule.pace * found, values[name].dtype)
        return total, slopes

    return penalty
