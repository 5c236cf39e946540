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
    """init : values -> state;  update : (gradients, state, values, rate) -> (values, state).

    curvature : state -> {name: positive estimate of the loss's second derivatives}, of the steps so far; SGD has none
    """

    init: Callable[[Values], Values]
    update: Update
    curvature: Callable[[Values], Values] = lambda state: {}


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
    Kingma & Ba 2015, algorithm 1. The denominator is its estimate of curvature.
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

    def curvature(state: Values) -> Values:
        unbiased = 1 - beta2 ** max(int(state["steps"]), 1)
        moments = {name[2:]: value for name, value in state.items() if name.startswith("v/")}
        return {name: np.sqrt(v / v.dtype.type(unbiased)) + v.dtype.type(epsilon) for name, v in moments.items()}

    return Optimizer(init, update, curvature)


def scaled(optimizer: Optimizer, factors: Mapping[str, float]) -> Optimizer:
    """An optimizer whose steps are longer or shorter for some values.

        w <- w + factors[name] * (step of the optimizer)

    Parameters
    ----------
    factors : name of a value -> factor > 0, 1 for those left out; what a quantizer learns is called tensor//key

    Raises
    ------
    RangeError    a factor that is not positive
    """
    wrong = [name for name, factor in factors.items() if not factor > 0]
    if wrong:
        raise RangeError(f"factors of {wrong} must be positive")

    def update(
        gradients: Mapping[str, NDArray[Any]], state: Values, values: Values, rate: float
    ) -> tuple[Values, Values]:
        new, kept = optimizer.update(gradients, state, values, rate)
        for name in new.keys() & factors.keys():
            old = values[name]
            new[name] = old + old.dtype.type(factors[name]) * (new[name] - old)
        return new, kept

    return Optimizer(optimizer.init, update, optimizer.curvature)


def _check(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise RangeError(f"{name}={value} is outside [0, 1)")
