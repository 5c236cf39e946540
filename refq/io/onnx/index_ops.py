"""Operators that take or give places: lookups, the largest elements, running totals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts
from refq.io.onnx.shape_ops import reshaped, sliced


def _axis(call: Call, axis: int) -> int:
    """An axis of the first input, counted from the front."""
    rank = call.x.rank
    if not -rank <= axis < rank:
        raise ShapeError(f"axis={axis} does not exist in input shape {call.x.shape}")
    return axis % rank


def _from_front(b: Builder, indices: Tensor, sizes: Any) -> Tensor:
    """Constant indices counted from the front; those known only at run time must be so already."""
    if indices.value is None:
        return b.file_order(indices)
    rows = indices.value.astype(np.int64)
    if np.any((rows < -np.asarray(sizes)) | (rows >= sizes)):
        raise ShapeError(f"indices {rows.min()}..{rows.max()} leave the input's axis of size {sizes}")
    rows = np.where(rows < 0, rows + sizes, rows)
    return replace(indices, name=b.unique(f"{indices.name}/places"), value=rows)


@converts("Gather")
def _gather(b: Builder, call: Call) -> Tensor:
    x, axis = call.x, _axis(call, int(call.attrs.get("axis", 0)))
    size = x.shape[axis]
    indices = _from_front(b, call.input(1), size)
    dtype = "float32" if x.value is not None and "float" in x.dtype else x.dtype
    if x.value is not None and x.rank == 2 and axis == 0:
        return b.emit("Embedding", call, [indices, x], is_nhwc=False, dtype=dtype)
    x = b.file_order(x)
    if indices.value is None or indices.value.size != 1 or indices.rank > 1:
        return b.emit("Gather", call, [x, indices], is_nhwc=False, dtype=dtype, axis=axis)
    place = int(indices.value.reshape(-1)[0])
    parts: list[Any] = [slice(None)] * x.rank
    parts[axis] = slice(place, place + 1)
    if indices.rank == 1:
        return sliced(b, call, x, parts)
    cut = sliced(b, call, x, parts, b.unique(f"{call.outputs[0]}/part"))
    return reshaped(b, call, cut, tuple(size for i, size in enumerate(x.shape) if i != axis))


@converts("GatherND")
def _gather_nd(b: Builder, call: Call) -> Tensor:
    x, indices = call.x, call.input(1)
    if call.attrs.get("batch_dims", 0):
        raise UnsupportedError(f"batch_dims={call.attrs['batch_dims']}: only 0 is supported")
    if not indices.rank or not 1 <= indices.shape[-1] <= x.rank:
        raise ShapeError(f"indices of shape {indices.shape} do not fit input shape {x.shape}")
    places = _from_front(b, indices, x.shape[: indices.shape[-1]])
    return b.emit("GatherNd", call, [b.file_order(x), places], is_nhwc=False, dtype=b.file_order(x).dtype)


@converts("ArgMax", "ArgMin")
def _arg(b: Builder, call: Call) -> Tensor:
    axis, keepdims = _axis(call, int(call.attrs.get("axis", 0))), bool(call.attrs.get("keepdims", 1))
    if call.attrs.get("select_last_index", 0):
        raise UnsupportedError("select_last_index is set; only the first of equal elements is found")
    x = b.file_order(call.x)
    return b.emit(call.op, call, [x], is_nhwc=False, dtype="int64", axis=axis, keepdims=keepdims, output_type="int64")


@converts("CumSum")
def _cumsum(b: Builder, call: Call) -> Tensor:
    given = call.constant(1)
    if given is None or given.size != 1:
        raise ShapeError("CumSum runs along one axis")
    ways: dict[str, Any] = {name: bool(call.attrs.get(name, 0)) for name in ("exclusive", "reverse")}
    axis = _axis(call, int(given.reshape(-1)[0]))
    return b.emit("Cumsum", call, [b.file_order(call.x)], is_nhwc=False, axis=axis, **ways)


@converts("TopK")
def _top_k(b: Builder, call: Call) -> list[Tensor]:
    count, axis = call.constant(1, "k"), _axis(call, int(call.attrs.get("axis", -1)))
    if count is None or count.size != 1:
        raise ShapeError("TopK takes one number of elements")
    x, (values, places) = b.file_order(call.x), (*call.outputs, "")[:2]
    largest, name = bool(call.attrs.get("largest", 1)), values or places
    if not largest and "float" not in x.dtype:
        raise UnsupportedError(f"the smallest elements of {x.dtype}; only those of reals are found")
    swap = list(range(x.rank))
    swap[axis], swap[-1] = swap[-1], swap[axis]
    is_last = axis == x.rank - 1
    if not is_last:
        x = b.step("Transpose", b.unique(f"{name}/turned"), [x], perm=tuple(swap))
    if not largest:
        x = b.step("Negative", b.unique(f"{name}/negative"), [x])
    plain = is_last and largest and values
    inner = replace(call, outputs=[values if plain else b.unique(f"{name}/values"), b.unique(f"{name}/places")])
    found, where = b.emit_outputs("TopK", inner, [x], (x.dtype, "int32"), k=int(count.reshape(-1)[0]))
    if not largest and values:
        found = b.step("Negative", values if is_last else b.unique(f"{name}/smallest"), [found])
    if not is_last and values:
        found = b.step("Transpose", values, [found], perm=tuple(swap))
    if not places:
        return [found]
    if not is_last:
        where = b.step("Transpose", b.unique(f"{name}/order"), [where], perm=tuple(swap))
    cast = Call(op="Cast", domain="", name=places, opset=call.opset, inputs=[where], outputs=[places])
    return [found, b.emit("Cast", cast, [where], dtype="int64", to="int64")]
