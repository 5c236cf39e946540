"""Operators on constants, worked out in NumPy while reading: the shape computations of exporters disappear here."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError
from refq.io.damage import made
from refq.io.onnx.builder import Call, Tensor
from refq.io.onnx.tensors import type_name

Folder = Callable[[Call, list[Any]], Any]
_FOLDERS: dict[str, Folder] = {}


def folds(*ops: str) -> Callable[[Folder], Folder]:
    """Decorator: this function computes these operators on constants."""

    def register(function: Folder) -> Folder:
        _FOLDERS.update(dict.fromkeys(ops, function))
        return function

    return register


def folded_ops() -> tuple[str, ...]:
    """Operators that can be folded."""
    return tuple(_FOLDERS)


def fold(call: Call) -> list[Tensor] | None:
    """The results of a call whose inputs are all constants; None if it has to run."""
    if call.domain or call.op not in _FOLDERS:
        return None
    if call.op not in ("Shape", "Size") and any(t is not None and t.value is None for t in call.inputs):
        return None
    if call.op in ("Transpose", "Identity") and call.has(0) and call.x.grid is not None:
        return None  # codes keep their grid: the converter moves both
    if call.op in ("Shape", "Size"):
        arrays: list[Any] = [np.asarray(call.x.shape, np.int64)]
    else:
        arrays = [None if t is None else t.real for t in call.inputs]
    with np.errstate(all="ignore"):
        found = _FOLDERS[call.op](call, arrays)
    many = found if isinstance(found, list) else [found]
    return [
        Tensor(name=name, shape=y.shape, dtype=y.dtype.name, value=y)
        for name, y in zip(call.outputs, map(np.asarray, many), strict=False)
    ]


@folds("Constant")
def _constant(call: Call, arrays: list[Any]) -> Any:
    attrs = call.attrs
    for name, dtype in (("value", None), ("value_float", np.float32), ("value_floats", np.float32)):
        if name in attrs:
            return np.asarray(attrs[name], dtype)
    for name in ("value_int", "value_ints"):
        if name in attrs:
            return np.asarray(attrs[name], np.int64)
    raise LoadError(f"Constant {call.name!r} holds no number; it has {', '.join(attrs) or 'no attributes'}")


@folds("ConstantOfShape")
def _constant_of_shape(call: Call, arrays: list[Any]) -> Any:
    value = np.asarray(call.attrs.get("value", np.zeros(1, np.float32))).reshape(-1)
    return np.full(made(*arrays[0]), value[0], value.dtype)


@folds("Shape")
def _shape(call: Call, arrays: list[Any]) -> Any:
    return arrays[0][slice(call.attrs.get("start", 0), call.attrs.get("end"))]


@folds("Size")
def _size(call: Call, arrays: list[Any]) -> Any:
    return np.asarray(prod(map(int, arrays[0])), np.int64)


@folds("Identity")
def _identity(call: Call, arrays: list[Any]) -> Any:
    return arrays[0]


@folds("Cast")
def _cast(call: Call, arrays: list[Any]) -> Any:
    return arrays[0].astype(np.dtype(type_name(call.attrs["to"])))


@folds("Gather")
def _gather(call: Call, arrays: list[Any]) -> Any:
    x, indices = arrays
    axis = call.attrs.get("axis", 0)
    made(*indices.shape, x.size // max(x.shape[axis], 1))
    return np.take(x, indices.astype(np.int64), axis=axis)


@folds("Concat")
def _concat(call: Call, arrays: list[Any]) -> Any:
    return np.concatenate(arrays, axis=call.attrs["axis"])


@folds("Unsqueeze")
def _unsqueeze(call: Call, arrays: list[Any]) -> Any:
    axes = call.attrs["axes"] if len(arrays) < 2 else arrays[1].reshape(-1)
    return np.expand_dims(arrays[0], tuple(int(axis) for axis in axes))


@folds("Squeeze")
def _squeeze(call: Call, arrays: list[Any]) -> Any:
    axes = call.attrs.get("axes") if len(arrays) < 2 else arrays[1].reshape(-1)
    return np.squeeze(arrays[0], None if axes is None else tuple(int(axis) for axis in axes))


@folds("Reshape")
def _reshape(call: Call, arrays: list[Any]) -> Any:
    keep = not call.attrs.get("allowzero", 0)
    target = [int(size) for size in arrays[1]]
    return arrays[0].reshape([arrays[0].shape[i] if size == 0 and keep else size for i, size in enumerate(target)])


@folds("Flatten")
def _flatten(call: Call, arrays: list[Any]) -> Any:
    x, axis = arrays[0], call.attrs.get("axis", 1)
    return x.reshape(prod(x.shape[:axis]), -1)


@folds("Transpose")
def _transpose(call: Call, arrays: list[Any]) -> Any:
    return arrays[0].transpose(call.attrs.get("perm"))


@folds("Slice")
def _slice(call: Call, arrays: list[Any]) -> Any:
    x = arrays[0]
    return x[slices(call, x.shape, arrays[1:])]


def slices(call: Call, shape: tuple[int, ...], arrays: list[Any]) -> tuple[slice, ...]:
    """The Python slices of a Slice; its sizes are inputs since operator set 10, attributes before."""
    given: list[Any] = [*arrays, None, None, None, None][:4]
    starts = call.attrs["starts"] if given[0] is None else given[0].reshape(-1)
    ends = call.attrs["ends"] if given[1] is None else given[1].reshape(-1)
    axes = call.attrs.get("axes") if given[2] is None else given[2].reshape(-1)
    steps = [1] * len(starts) if given[3] is None else given[3].reshape(-1)
    found = [slice(None)] * len(shape)
    for axis, start, end, step in zip(range(len(starts)) if axes is None else axes, starts, ends, steps, strict=True):
        size, start, end, step = shape[int(axis)], int(start), int(end), int(step)
        start, end = (place + size if place < 0 else place for place in (start, end))
        if step < 0:
            start, last = min(start, size - 1), max(end, -1)
            found[int(axis)] = slice(start, None if last < 0 else last, step)
        else:
            found[int(axis)] = slice(min(max(start, 0), size), min(max(end, 0), size), step)
    return tuple(found)


@folds("Range")
def _range(call: Call, arrays: list[Any]) -> Any:
    start, limit, delta = (array.reshape(-1)[0] for array in arrays)
    made(max(int(np.ceil((float(limit) - float(start)) / float(delta))), 0))
    return np.arange(start, limit, delta, dtype=arrays[0].dtype)


@folds("Expand")
def _expand(call: Call, arrays: list[Any]) -> Any:
    shape = np.broadcast_shapes(arrays[0].shape, made(*arrays[1]))
    return np.broadcast_to(arrays[0], made(*shape))


@folds("Tile")
def _tile(call: Call, arrays: list[Any]) -> Any:
    made(*(size * int(n) for size, n in zip(arrays[0].shape, arrays[1], strict=True)))
    return np.tile(arrays[0], arrays[1])


@folds("Where")
def _where(call: Call, arrays: list[Any]) -> Any:
    made(*np.broadcast_shapes(*(array.shape for array in arrays)))
    return np.where(arrays[0].astype(bool), arrays[1], arrays[2])


def _divide(a: NDArray[Any], b: NDArray[Any]) -> Any:
    if a.dtype.kind == "f":
        return a / b
    if np.any(b == 0):
        raise LoadError("an integer constant is divided by zero")
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)  # ONNX divides towards zero


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": lambda a, b: np.power(a, b.astype(a.dtype)),
    "Equal": np.equal,
    "Less": np.less,
    "Greater": np.greater,
    "And": np.logical_and,
    "Or": np.logical_or,
}


@folds(*_BINARY)
def _binary(call: Call, arrays: list[Any]) -> Any:
    made(*np.broadcast_shapes(*(array.shape for array in arrays)))
    return _BINARY[call.op](*arrays)


@folds("Min", "Max")
def _extreme(call: Call, arrays: list[Any]) -> Any:
    made(*np.broadcast_shapes(*(array.shape for array in arrays)))
    found = arrays[0]
    for array in arrays[1:]:
        found = (np.minimum if call.op == "Min" else np.maximum)(found, array)
    return found


_UNARY: dict[str, Callable[[Any], Any]] = {
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Not": np.logical_not,
    "Reciprocal": lambda x: (1 / x).astype(x.dtype),
}


@folds(*_UNARY)
def _unary(call: Call, arrays: list[Any]) -> Any:
    return _UNARY[call.op](arrays[0])


@folds("ReduceProd")
def _reduce_product(call: Call, arrays: list[Any]) -> Any:
    axes = call.attrs.get("axes") if len(arrays) < 2 else tuple(int(axis) for axis in arrays[1])
    return np.prod(arrays[0], axis=axes, keepdims=bool(call.attrs.get("keepdims", 1)), dtype=arrays[0].dtype)
