"""What stands for the derivative of the sign: functions (dy, x, progress) -> dx."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refq.quantizers.learning.protocol import Array

Estimator = Callable[[Array, Array, float], Array]


def identity(dy: Array, x: Array, progress: float) -> Array:
    """dx = dy (Bengio et al. 2013)."""
    return dy


def clipped(dy: Array, x: Array, progress: float) -> Array:
    """dx = dy where |x| <= 1 (Hubara et al. 2016, eq. 4)."""
    return dy * (np.abs(x) <= 1)


def within(limit: float) -> Estimator:
    """dx = dy where |x| <= limit; 1/2 for signs of clip(x, 0, 1) - 1/2 (Lin, Zhao & Pan 2017, section 3.2)."""
    return lambda dy, x, progress: dy * (np.abs(x) <= limit)


def polynomial(dy: Array, x: Array, progress: float) -> Array:
    """dx = dy * (2 - 2 |x|) where |x| < 1: the derivative of 2x + x**2 below 0 and 2x - x**2 above.

    Notes
    -----
    Liu et al. 2018 (Bi-Real Net), eq. (5)-(6).
    """
    return dy * np.maximum(2 - 2 * np.abs(x), 0)


def sign_swish(beta: float = 5.0) -> Estimator:
    """dx = dy * beta * (2 - beta x tanh(beta x / 2)) / (1 + cosh(beta x)).

    Notes
    -----
    Darabi et al. 2018 (BNN+), eq. (4): the derivative of 2 sigmoid(beta x) (1 + beta x (1 - sigmoid(beta x))) - 1.
    """

    def estimate(dy: Array, x: Array, progress: float) -> Array:
        z = np.clip(beta * x, -80, 80)
        return (dy * beta * (2 - z * np.tanh(z / 2)) / (1 + np.cosh(z))).astype(dy.dtype)

    return estimate


def error_decay(low: float = 0.1, high: float = 10.0) -> Estimator:
    """dx = dy * k t (1 - tanh(t x)**2),   t = low * (high / low)**progress,   k = max(1 / t, 1).

    Notes
    -----
    Qin et al. 2020 (IR-Net), eq. (9)-(12): near the identity at the start, near the sign at the end.
    """

    def estimate(dy: Array, x: Array, progress: float) -> Array:
        t = low * (high / low) ** progress
        return (dy * (max(1 / t, 1.0) * t) * (1 - np.tanh(t * x) ** 2)).astype(dy.dtype)

    return estimate


def target_propagation(weighted: bool = False) -> Estimator:
    """Every layer learns targets of its own: dx = -t (1 - tanh(x)**2) / N,   t = -sign(dy),   0 where dy = 0.

    Parameters
    ----------
    weighted : every unit's loss counts by N |dy|, its share in the loss of the next layer

    Notes
    -----
    Friesen & Domingos 2018, section 3 (feasible target propagation in mini-batches): the target of a unit is the sign
    that lowers the loss of the next layer, and its own loss is the soft hinge 1 + tanh(-t x), the mean over the batch
    of N samples. The target of the last layer is the label, its loss that of the run. No derivative passes a threshold
    but by way of targets. Weighted, and with a hinge that saturates in place of the soft one, it would be the clipped
    straight-through estimator.
    """

    def estimate(dy: Array, x: Array, progress: float) -> Array:
        share = dy if weighted else np.sign(dy) / len(dy)
        return (share * (1 - np.tanh(x) ** 2)).astype(dy.dtype)

    return estimate
