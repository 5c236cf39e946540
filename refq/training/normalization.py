"""Batch normalization while training: statistics of the batch, and their running averages."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.kernels.cpu import has_instructions, route

Array = NDArray[Any]
Pull = Callable[[Array], tuple[Array, Array, Array]]

_LANES = 256
"""So many numbers, or fewer, of neighbouring places make a row of the kernels: long enough for vectors."""


def normalize_batch(x: Array, gamma: Array, beta: Array, axis: int, epsilon: float) -> tuple[Array, Array, Array, Pull]:
    """y = gamma * (x - mu) / sqrt(sigma**2 + epsilon) + beta, with mu and sigma**2 of the batch.

    Returns
    -------
    y, mu, sigma**2 (the mean of squares, not the unbiased estimate), and the function dy -> (dx, dgamma, dbeta)

    Notes
    -----
    Ioffe & Szegedy 2015, algorithm 1 and the gradients of section 3:
    dx = gamma / sigma * (dy - mean dy - x^ * mean(dy * x^)),  x^ = (x - mu) / sigma.
    """
    if axis % x.ndim == x.ndim - 1 and x.size and has_instructions() and route() != "numpy":
        return _by_kernels(x, gamma, beta, epsilon)
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    shape = [1] * x.ndim
    shape[axis] = -1
    count = x.dtype.type(x.size // x.shape[axis])
    mean = x.sum(axis=others) / count
    centred = x - mean.reshape(shape)
    variance = (centred**2).sum(axis=others) / count
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    hat = centred * inverse.reshape(shape)

    def pull(dy: Array) -> tuple[Array, Array, Array]:
        total, along = dy.sum(axis=others), (dy * hat).sum(axis=others)
        rest = dy - (total / count).reshape(shape) - hat * (along / count).reshape(shape)
        return rest * (gamma * inverse).reshape(shape), along, total

    return hat * gamma.reshape(shape) + beta.reshape(shape), mean, variance, pull


def _by_kernels(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, Array, Array, Pull]:
    """The same, three passes forward and two back; channels lie last."""
    from refq.kernels import normalization

    channels, count = x.shape[-1], x.dtype.type(x.size // x.shape[-1])
    places = gcd(x.size // channels, 1 << max(_LANES // channels, 1).bit_length() - 1)

    def rows(array: Array) -> Array:
        return np.ascontiguousarray(array, x.dtype).reshape(-1, places * channels)

    def lanes(vector: Array) -> Array:
        return np.tile(vector, places)

    def channel_sums(total: Array) -> Array:
        return total.reshape(places, channels).sum(axis=0)

    seen, sums = rows(x), np.zeros((2, places * channels), x.dtype)
    normalization.add_rows(seen, sums[0])
    mean = channel_sums(sums[0]) / count
    means = lanes(mean)
    normalization.add_squares(seen, means, sums[1])
    variance = channel_sums(sums[1]) / count
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    y = np.empty_like(seen)
    normalization.scale(seen, means, lanes(gamma * inverse), lanes(beta), y)

    def pull(dy: Array) -> tuple[Array, Array, Array]:
        slopes, sums = rows(dy), np.zeros((2, places * channels), x.dtype)
        normalization.add_slopes(slopes, seen, means, *sums)
        total, along = channel_sums(sums[0]), channel_sums(sums[1]) * inverse
        factor, dx = gamma * inverse, np.empty_like(seen)
        turn, offset = -factor * inverse * along / count, -factor * total / count
        normalization.combine(slopes, seen, means, lanes(factor), lanes(turn), lanes(offset), dx)
        return dx.reshape(x.shape), along, total

    return y.reshape(x.shape), mean, variance, pull
