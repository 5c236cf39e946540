"""Distillation: losses of a student beside teachers, and what `fit` needs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import GraphError, ShapeError
from refq.execute import trace
from refq.graph import Graph
from refq.training.batches import batches
from refq.training.losses import Loss, log_softmax, mean_squared_error, softmax_cross_entropy
from refq.training.network import scores_of

Array = NDArray[Any]


def distill(
    teachers: Sequence[Graph],
    x: Any,
    y: Any,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    temperature: float = 4.0,
    student: Loss = softmax_cross_entropy,
    features: Mapping[str, str] = MappingProxyType({}),
    weight: float = 0.5,
    attention: bool = False,
) -> dict[str, Any]:
    """What a student trains on: arguments `data`, `loss` and `reads` of `refq.training.fit`.

        L = alpha * H(y, s) + beta * T**2 * H(mean over teachers of t(T), s(T)) + weight * distance of features

    Parameters
    ----------
    teachers : float graphs with the student's inputs and classes; several count by the mean of their soft answers
    x, y : inputs and labels
    alpha, beta, temperature, student : see `distillation`
    features : tensor of the student -> tensor of every teacher that it is drawn to
    weight, attention : see `with_features`

    Raises
    ------
    GraphError    no teacher, or a teacher without a named tensor

    Notes
    -----
    Gholami et al. 2021, section IV-D, eq. (10)-(11), soft labels and intermediate features, one teacher or several.
    Teachers answer once, on x as it is: a run that augments x would hear answers to other images.
    """
    if not teachers:
        raise GraphError("distillation needs a teacher")
    targets: list[Any] = [y]
    hints: list[Any] = []
    for teacher in teachers:
        unknown = [name for name in features.values() if name not in teacher.tensors]
        if unknown:
            raise GraphError(f"teacher {teacher.name!r} has no tensors {unknown}")
        logits, *inner = _answers(teacher, x, (scores_of(teacher), *features.values()))
        targets.append(logits)
        hints += inner
    loss: Any = distillation(alpha, beta, temperature, student)
    if not features:
        return {"data": (x, tuple(targets)), "loss": loss}
    return {
        "data": (x, (*targets, *hints)),
        "loss": with_features(loss, weight / len(teachers), attention),
        "reads": tuple(features) * len(teachers),
    }


def self_distill(graph: Graph, x: Any, y: Any, *, features: Sequence[str] = (), **settings: Any) -> dict[str, Any]:
    """`distill` with the float model itself as the teacher of its quantized self, and of these inner tensors.

    Notes
    -----
    Gholami et al. 2021, section IV-D (self-distillation); Furlanello et al. 2018, section 3 (the teacher has the
    student's own architecture). Tensors have the same shapes on both sides, so that features need no adapter.
    """
    return distill((graph,), x, y, features={name: name for name in features}, **settings)


def _answers(graph: Graph, x: Any, names: tuple[str, ...]) -> list[Array]:
    """Tensors of the float path for all inputs."""
    found: list[list[Array]] = [[] for _ in names]
    for part, _ in batches(x, x, 256):
        values = trace(graph, part)
        for held, name in zip(found, names, strict=True):
            held.append(values[name])
    return [np.concatenate(parts) for parts in found]


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
