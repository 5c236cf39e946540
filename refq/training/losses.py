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


def distillation(
    alpha: float = 1.0, beta: float = 1.0, temperature: float = 1.0, student: Loss = softmax_cross_entropy
) -> Loss:
    """The loss of a student beside a teacher.

        L = alpha * H(y, softmax(z_s)) + beta * T**2 * H(softmax(z_t / T), softmax(z_s / T))

    Parameters
    ----------
    alpha, beta : weights of the labels and of the teachers
    temperature : T > 0
    student : the loss on the labels

    Returns
    -------
    Loss whose targets are a tuple (labels, logits of a teacher, logits of another teacher ...); several teachers count
    by the mean of their soft probabilities

    Notes
    -----
    Gholami et al. 2021, section IV-D, eq. (10)-(11); Hinton et al. 2015. T**2 keeps the size of the gradient of the
    soft targets as T changes.
    """
    if not temperature > 0:
        raise ShapeError(f"temperature={temperature} must be positive")

    def loss(logits: Array, targets: Any) -> tuple[float, Array]:
        labels, *teachers = targets
        if not teachers:
            raise ShapeError("distillation takes the targets (labels, teacher logits, ...); there are labels only")
        soft = np.mean([np.exp(log_softmax(z / temperature)) for z in teachers], axis=0).astype(logits.dtype)
        value, slope = softmax_cross_entropy(logits / logits.dtype.type(temperature), soft)
        hard, hard_slope = student(logits, labels)
        weight = logits.dtype.type(beta * temperature)  # T**2 outside, 1 / T from the chain rule
        return alpha * hard + beta * temperature**2 * value, logits.dtype.type(alpha) * hard_slope + weight * slope

    return loss


def with_features(loss: Loss, weight: float, attention: bool = False) -> Callable[..., tuple[float, Any]]:
    """A loss that also draws inner tensors to those of a teacher; for `fit(..., reads=names)`.

        L = loss(y, t) + weight * sum over tensors of mean (f_s - f_t)**2
        attention: f is mean over channels of the squares, divided by its norm over the places of an image

    Parameters
    ----------
    loss : what the outputs get
    weight : of the features
    attention : compare where tensors are large, not what they hold; channels may differ then

    Returns
    -------
    Loss of (outputs, *tensors) whose targets are (targets of `loss`, *tensors of the teacher)

    Notes
    -----
    Romero et al. 2015 (FitNets), eq. (3), without a regressor; Zagoruyko & Komodakis 2017, eq. (2), squared norm.
    """

    def measure(outputs: tuple[Array, ...], targets: tuple[Any, ...]) -> tuple[float, tuple[Array, ...]]:
        first = len(targets) - len(outputs) + 1
        hints = targets[first:]
        value, slope = loss(outputs[0], targets[:first] if first > 1 else targets[0])
        slopes = [slope]
        for student, teacher in zip(outputs[1:], hints, strict=True):
            if attention:
                extra, rest = _attention(student, teacher)
            else:
                extra, rest = mean_squared_error(student, teacher)
            value += weight * extra
            slopes.append(student.dtype.type(weight) * rest)
        return value, tuple(slopes)

    return measure


def _attention(student: Array, teacher: Array) -> tuple[float, Array]:
    """Mean over the batch of the squared distance of normalized attention maps, and its gradient."""
    maps = []
    for features in (student, teacher):
        energy = (features**2).mean(axis=-1).reshape(len(features), -1)
        norm = np.sqrt((energy**2).sum(axis=1, keepdims=True)).clip(1e-12)
        maps.append((energy / norm, norm))
    (mine, norm), (wanted, _) = maps
    rest = mine - wanted
    dmap = 2 * rest / len(student)
    denergy = (dmap - mine * (dmap * mine).sum(axis=1, keepdims=True)) / norm
    spread = denergy.reshape(student.shape[:-1])[..., None]
    return float((rest**2).sum() / len(student)), (spread * 2 * student / student.shape[-1]).astype(student.dtype)
