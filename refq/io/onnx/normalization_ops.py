"""Batch, layer and instance normalization."""

from __future__ import annotations

from math import prod

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.damage import made
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts


@converts("BatchNormalization")
def _batch(b: Builder, call: Call) -> Tensor:
    if call.attrs.get("training_mode", 0):
        raise UnsupportedError("training_mode is set; export the model for inference")
    x = call.x
    vectors: list[Tensor | None] = [b.file_order(call.input(i)) for i in range(1, 5)]
    epsilon = float(call.attrs.get("epsilon", 1e-5))
    if x.rank >= 3:
        x = b.channels_last(x)
    return b.emit("BatchNormalization", call, [x, *vectors], axis=-1, epsilon=epsilon)


@converts("LayerNormalization")
def _layer(b: Builder, call: Call) -> Tensor:
    x, axis = b.file_order(call.x), int(call.attrs.get("axis", -1))
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"axis={axis} does not exist in input shape {x.shape}")
    axis, sizes = axis % x.rank, x.shape[axis % x.rank :]
    gamma = b.file_order(_spread(call.input(1), sizes))
    zeros = Tensor(name=b.unique(f"{call.outputs[0]}/beta"), shape=sizes, value=np.zeros(made(*sizes), np.float32))
    beta = b.file_order(_spread(call.input(2), sizes) if call.has(2) else zeros)
    epsilon = float(call.attrs.get("epsilon", 1e-5))
    return b.emit("LayerNormalization", call, [x, gamma, beta], axis=tuple(range(axis, x.rank)), epsilon=epsilon)


def _spread(vector: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """A scale that broadcasts over the normalized axes, written out."""
    if vector.value is None or vector.shape == sizes:
        return vector
    sizes = made(*sizes)
    try:
        value = np.broadcast_to(vector.real, sizes)
    except ValueError:
        raise ShapeError(f"{vector.name!r} of shape {vector.shape} does not fit the normalized axes {sizes}") from None
    return Tensor(name=vector.name, shape=sizes, value=value)


@converts("InstanceNormalization")
def _instance(b: Builder, call: Call) -> Tensor:
    x, epsilon = b.file_order(call.x), float(call.attrs.get("epsilon", 1e-5))
    if x.rank < 3:
        raise ShapeError(f"input shape {x.shape} has no spatial axes")
    size, out = prod(x.shape[2:]), call.outputs[0]
    ones = b.file_order(Tensor(name=b.unique(f"{out}/one"), shape=(size,), value=np.ones(made(size), np.float32)))
    zeros = b.file_order(Tensor(name=b.unique(f"{out}/zero"), shape=(size,), value=np.zeros(size, np.float32)))
    flat = b.step("Reshape", b.unique(f"{out}/flat"), [x], shape=(0, x.shape[1], size))
    normal = b.step("LayerNormalization", b.unique(f"{out}/normal"), [flat, ones, zeros], axis=(-1,), epsilon=epsilon)
    image = b.step("Reshape", b.unique(f"{out}/image"), [normal], shape=(0, *x.shape[1:]))
    scale, bias = (_channels(call.input(i), x) for i in (1, 2))
    scaled = b.step("Multiply", b.unique(f"{out}/scaled"), [image, b.file_order(scale)])
    return b.emit("Add", call, [scaled, b.file_order(bias)])


def _channels(vector: Tensor, x: Tensor) -> Tensor:
    if vector.value is None or vector.shape != (x.shape[1],):
        raise ShapeError(f"{vector.name!r} of shape {vector.shape} must be a constant of shape {(x.shape[1],)}")
    value = vector.real.reshape(1, -1, *(1,) * (x.rank - 2))
    return Tensor(name=vector.name, shape=value.shape, value=value)
