"""Losses: the mean over a batch and its gradient with respect to what the network gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError

Array = NDArray[Any]
Loss = Callable[[Array, Any], tuple[float, Array]]
"""(outputs, targets) -> (mean loss over the batch, gradient of the outputs)."""


def log_softmax(logits: Array) -> Array:
    """log(exp(z) / sum exp(z)) along the last axis, without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def one_hot(labels: Any, logits: Array) -> Array:
    """Class numbers as rows of 0 and 1; rows of probabilities stay as they are.

    Raises
    ------
    ShapeError    targets that are neither
    """
    given = np.asarray(labels)
    if given.shape == logits.shape:
        return given.astype(logits.dtype)
    if given.shape != logits.shape[:-1] or given.dtype.kind not in "iu":
        raise ShapeError(
            f"targets of shape {given.shape} ({given.dtype}) must be integers of shape {logits.shape[:-1]} or "
            f"probabilities of shape {logits.shape}"
        )
    if given.size and not 0 <= given.min() <= given.max() < logits.shape[-1]:
        raise ShapeError(f"labels in [{given.min()}, {given.max()}] need as many outputs, got {logits.shape[-1]}")
    return np.eye(logits.shape[-1], dtype=logits.dtype)[given]


def softmax_cross_entropy(logits: Array, labels: Any) -> tuple[float, Array]:
    """L = -sum_k p_k log softmax(z)_k,  dL/dz = softmax(z) - p;  the mean over the batch.

    Parameters
    ----------
    logits : real, shape (N, classes); what lies before the softmax
    labels : class numbers, shape (N,), or probabilities p of the shape of logits

    >>> loss, grad = softmax_cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 4), grad.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    logs, wanted = log_softmax(logits), one_hot(labels, logits)
    rows = logits.size // logits.shape[-1]
    total = wanted.sum(axis=-1, keepdims=True)
    return float(-(wanted * logs).sum() / rows), (np.exp(logs) * total - wanted) / rows


def mean_squared_error(y: Array, targets: Any) -> tuple[float, Array]:
    """L = mean of (y - t)**2 over all elements.

    Raises
    ------
    ShapeError    targets of another shape
    """
    wanted = np.asarray(targets, y.dtype)
    if wanted.shape != y.shape:
        raise ShapeError(f"targets of shape {wanted.shape} must have the outputs' shape {y.shape}")
    rest = y - wanted
    return float((rest**2).mean()), rest * y.dtype.type(2 / y.size)


def squared_hinge(y: Array, labels: Any) -> tuple[float, Array]:
    """L = sum_k max(0, 1 - t_k y_k)**2, t_k = +1 for the label and -1 else; the mean over the batch.

    Notes
    -----
    The L2-SVM output of BinaryConnect and BNN (Courbariaux et al. 2015, section 3; Hubara et al. 2016, section 2).
    """
    signs = 2 * one_hot(labels, y) - 1
    short = np.maximum(0, 1 - signs * y)
    return float((short**2).sum() / len(y)), (-2 * signs * short / len(y)).astype(y.dtype)
