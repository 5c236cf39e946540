"""Optimizers: pairs of (init, update), pure functions on dictionaries of arrays.

    state = optimizer.init(values)
    values, state = optimizer.update(gradients, state, values, rate)

A state is a flat dictionary of arrays, so that a checkpoint holds it whole. Weight decay is for weights: arrays of two
or more axes. Biases, normalization vectors and learned steps are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError

Values = dict[str, NDArray[Any]]
Update = Callable[[Mapping[str, NDArray[Any]], Values, Values, float], tuple[Values, Values]]


class Optimizer(NamedTuple):
    """init : values -> state;  update : (gradients, state, values, rate) -> (values, state)."""

    init: Callable[[Values], Values]
    update: Update


def sgd(*, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Optimizer:
    """Stochastic gradient descent.

        g = dL/dw + weight_decay * w;   v <- momentum * v + g;   w <- w - rate * v

    Parameters
    ----------
    momentum : float in [0, 1)
    nesterov : the step is g + momentum * v instead of v
    weight_decay : float >= 0

    Notes
    -----
    Sutskever et al. 2013, in the form in which the rate is outside the velocity (PyTorch's), dampening 0.
    """
    _check("momentum", momentum)

    def init(values: Values) -> Values:
        return {f"velocity/{name}": np.zeros_like(value) for name, value in values.items()} if momentum else {}

    def update(
        gradients: Mapping[str, NDArray[Any]], state: Values, values: Values, rate: float
    ) -> tuple[Values, Values]:
        new, kept = dict(values), dict(state)
        for name, gradient in gradients.items():
            w = values[name]
            step = gradient + w.dtype.type(weight_decay) * w if weight_decay and w.ndim > 1 else gradient
            if momentum:
                velocity = kept[f"velocity/{name}"] = w.dtype.type(momentum) * state[f"velocity/{name}"] + step
                step = step + w.dtype.type(momentum) * velocity if nesterov else velocity
            new[name] = w - w.dtype.type(rate) * step
        return new, kept

    return Optimizer(init, update)


def adam(*, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.0) -> Optimizer:
    """Adam; with decay that is added to the gradient.

        m <- b1 m + (1 - b1) g;   v <- b2 v + (1 - b2) g**2
        w <- w - rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + epsilon)

    Notes
    -----
    Kingma & Ba 2015, algorithm 1.
    """
    return _adam(beta1, beta2, epsilon, weight_decay, decoupled=False)


def adamw(*, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 1e-2) -> Optimizer:
    """Adam with decoupled decay: besides Adam's step, w <- w - rate * weight_decay * w.

    Notes
    -----
    Loshchilov & Hutter 2019, algorithm 2, the decay multiplied by the rate as in PyTorch.
    """
    return _adam(beta1, beta2, epsilon, weight_decay, decoupled=True)


def _adam(beta1: float, beta2: float, epsilon: float, weight_decay: float, decoupled: bool) -> Optimizer:
    _check("beta1", beta1)
    _check("beta2", beta2)

    def init(values: Values) -> Values:
        state = {f"{kind}/{name}": np.zeros_like(value) for name, value in values.items() for kind in ("m", "v")}
        return state | {"steps": np.zeros((), np.int64)}

    def update(
        gradients: Mapping[str, NDArray[Any]], state: Values, values: Values, rate: float
    ) -> tuple[Values, Values]:
        new, kept = dict(values), dict(state)
        t = int(state["steps"]) + 1
        kept["steps"] = np.array(t, np.int64)
        for name, gradient in gradients.items():
            w = values[name]
            real = w.dtype.type
            if weight_decay and w.ndim > 1:
                if decoupled:
                    w = w * real(1 - rate * weight_decay)
                else:
                    gradient = gradient + real(weight_decay) * w
            m = kept[f"m/{name}"] = real(beta1) * state[f"m/{name}"] + real(1 - beta1) * gradient
            v = kept[f"v/{name}"] = real(beta2) * state[f"v/{name}"] + real(1 - beta2) * gradient**2
            root = np.sqrt(v / real(1 - beta2**t)) + real(epsilon)
            new[name] = w - real(rate / (1 - beta1**t)) * m / root
        return new, kept

    return Optimizer(init, update)


def _check(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise RangeError(f"{name}={value} is outside [0, 1)")
