"""Batch normalization while training: statistics of the batch, and their running averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def normalize_batch(
    x: Array, gamma: Array, beta: Array, axis: int, epsilon: float
) -> tuple[Array, Array, Array, Callable[[Array], tuple[Array, Array, Array]]]:
    """y = gamma * (x - mu) / sqrt(sigma**2 + epsilon) + beta, with mu and sigma**2 of the batch.

    Returns
    -------
    y, mu, sigma**2 (the mean of squares, not the unbiased estimate), and the function dy -> (dx, dgamma, dbeta)

    Notes
    -----
    Ioffe & Szegedy 2015, algorithm 1 and the gradients of section 3:
    dx = gamma / sigma * (dy - mean dy - x^ * mean(dy * x^)).
    """
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    shape = [1] * x.ndim
    shape[axis] = -1
    mean = x.mean(axis=others)
    centred = x - mean.reshape(shape)
    variance = (centred**2).mean(axis=others)
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    hat = centred * inverse.reshape(shape)

    def pull(dy: Array) -> tuple[Array, Array, Array]:
        count = x.dtype.type(x.size // len(mean))
        total, along = dy.sum(axis=others), (dy * hat).sum(axis=others)
        rest = dy - (total / count).reshape(shape) - hat * (along / count).reshape(shape)
        return rest * (gamma * inverse).reshape(shape), along, total

    return hat * gamma.reshape(shape) + beta.reshape(shape), mean, variance, pull
