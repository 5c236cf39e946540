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
    shape = [1] * x.ndim
    shape[axis] = -1
    count = x.dtype.type(x.size // x.shape[axis])
    mean = _sums(x, axis) / count
    centred = x - mean.reshape(shape)
    variance = _sums(centred**2, axis) / count
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    hat = centred * inverse.reshape(shape)

    def pull(dy: Array) -> tuple[Array, Array, Array]:
        total, along = _sums(dy, axis), _sums(dy * hat, axis)
        rest = dy - (total / count).reshape(shape) - hat * (along / count).reshape(shape)
        return rest * (gamma * inverse).reshape(shape), along, total

    return hat * gamma.reshape(shape) + beta.reshape(shape), mean, variance, pull


def _sums(x: Array, axis: int) -> Array:
    """Sums over all axes but one; channels that lie last are summed by a product with ones, which BLAS does faster."""
    if axis % x.ndim == x.ndim - 1:
        rows = x.reshape(-1, x.shape[-1])
        return np.ones(len(rows), x.dtype) @ rows
    return x.sum(axis=tuple(i for i in range(x.ndim) if i != axis % x.ndim))
