"""Normalizations and rescalings."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.io.damage import made
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts


def _axis(value: Any) -> int:
    return int(value[0]) if isinstance(value, list | tuple) else int(value)


@converts("BatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization")
def batch_normalization(builder: Builder, call: Call) -> Tensor:
    config = call.config
    axis = _axis(config.get("axis", -1))
    size = call.x.shape[axis]
    vectors: list[Tensor | None] = [call.x]
    position = 0
    for name, present, default in (
        ("gamma", config.get("scale", True), 1.0),
        ("beta", config.get("center", True), 0.0),
    ):
        if present:
            vectors.append(builder.weight(call, position, name, (size,)))
            position += 1
        else:
            vectors.append(builder.constant(f"{call.layer}/{name}", np.full(made(size), default, np.float32)))
    vectors.append(builder.weight(call, position, "moving_mean", (size,)))
    vectors.append(builder.weight(call, position + 1, "moving_variance", (size,)))
    epsilon = float(config.get("epsilon", 1e-3))
    return builder.emit("BatchNormalization", call.name, vectors, axis=axis, epsilon=epsilon)


@converts("LayerNormalization")
def layer_normalization(builder: Builder, call: Call) -> Tensor:
    config, rank = call.config, len(call.x.shape)
    if config.get("rms_scaling"):
        raise UnsupportedError(f"LayerNormalization {call.layer!r} with rms_scaling has no converter")
    axis = config.get("axis", -1)
    axes = tuple(sorted(a % rank for a in (axis if isinstance(axis, list | tuple) else [axis])))
    shape = tuple(call.x.shape[a] for a in axes)
    inputs: list[Tensor | None] = [call.x]
    position = 0
    for name, present, default in (
        ("gamma", config.get("scale", True), 1.0),
        ("beta", config.get("center", True), 0.0),
    ):
        if present:
            inputs.append(builder.weight(call, position, name, shape))
            position += 1
        else:
            inputs.append(builder.constant(f"{call.layer}/{name}", np.full(made(*shape), default, np.float32)))
    epsilon = float(config.get("epsilon", 1e-3))
    return builder.emit("LayerNormalization", call.name, inputs, axis=axes, epsilon=epsilon)


@converts("UnitNormalization")
def unit_normalization(builder: Builder, call: Call) -> Tensor:
    axis = call.config.get("axis", -1)
    axes = tuple(axis) if isinstance(axis, list | tuple) else (int(axis),)
    return builder.emit("L2Normalization", call.name, [call.x], axis=axes)


@converts("Rescaling")
def rescaling(builder: Builder, call: Call) -> Tensor:
    scale = np.asarray(call.config.get("scale", 1.0), np.float32)
    offset = np.asarray(call.config.get("offset", 0.0), np.float32)
    factor = builder.constant(f"{call.layer}/scale", scale)
    if not np.any(offset):
        return builder.emit("Multiply", call.name, [call.x, factor])
    scaled = builder.emit("Multiply", f"{call.name}/scaled", [call.x, factor])
    return builder.emit("Add", call.name, [scaled, builder.constant(f"{call.layer}/offset", offset)])


@converts("Normalization")
def normalization(builder: Builder, call: Call) -> Tensor:
    """(x - mean) / max(sqrt(variance), 1e-7), as a difference and a product with the inverse."""
    config, shape = call.config, call.x.shape
    axis = config.get("axis", -1)
    axes = [] if axis is None else [a % len(shape) for a in (axis if isinstance(axis, list | tuple) else [axis])]
    kept = tuple(size if i in axes else 1 for i, size in enumerate(shape))
    hollow = False
    if config.get("mean") is not None:
        mean, variance = (np.asarray(config[key], np.float32) for key in ("mean", "variance"))
    else:
        weights = [weight for weight in call.weights if weight.values.dtype.kind == "f"][:2]
        if len(weights) < 2:
            raise UnsupportedError(f"Normalization {call.layer!r} was never adapted: it has no mean and variance")
        mean, variance = weights[0].values, weights[1].values
        hollow = weights[0].is_shape_only
    mean, variance = (
        np.broadcast_to(np.reshape(v, -1), made(int(np.prod(kept)))).reshape(kept) for v in (mean, variance)
    )
    spread = np.maximum(np.sqrt(variance), np.float32(1e-7))
    centre = builder.constant(f"{call.layer}/mean", mean, hollow)
    if config.get("invert"):
        scaled = builder.emit(
            "Multiply", f"{call.name}/scaled", [call.x, builder.constant(f"{call.layer}/deviation", spread, hollow)]
        )
        return builder.emit("Add", call.name, [scaled, centre])
    inverse = builder.constant(f"{call.layer}/inverse_deviation", np.float32(1) / spread, hollow)
    centred = builder.emit("Subtract", f"{call.name}/centred", [call.x, centre])
    return builder.emit("Multiply", call.name, [centred, inverse])
