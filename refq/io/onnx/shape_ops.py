"""Operators that move elements: reshape, transpose, slice, join, pad, resize."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.onnx.builder import Builder, Call, Tensor, replace_axis
from refq.io.onnx.converters import converts
from refq.io.onnx.folding import slices
from refq.io.onnx.layout import last_axis, permuted, same_elements, to_last


def reshaped(b: Builder, call: Call, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The elements of x in the file's order under a new shape; the batch stays free where it can."""
    if prod(shape) != prod(x.shape):
        raise ShapeError(f"input shape {x.shape} has {prod(x.shape)} elements and cannot take the shape {shape}")
    if not (x.is_nhwc and same_elements(x.shape)):
        x = b.file_order(x)
    if not shape:
        return b.emit("Reshape", call, [x], is_nhwc=False, shape=())
    leading = 0 if x.rank and x.shape[0] == shape[0] else -1
    return b.emit("Reshape", call, [x], is_nhwc=False, shape=(leading, *shape[1:]))


@converts("Reshape")
def _reshape(b: Builder, call: Call) -> Tensor:
    x, target = call.x, call.constant(1, "shape")
    if target is None:
        raise ShapeError("Reshape needs a target shape")
    sizes = [int(size) for size in target.reshape(-1)]
    if not call.attrs.get("allowzero", 0):
        if any(size == 0 and i >= x.rank for i, size in enumerate(sizes)):
            raise ShapeError(f"target {sizes} keeps an axis that input shape {x.shape} does not have")
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    if sizes.count(-1) == 1:
        known = -prod(sizes)
        sizes[sizes.index(-1)] = prod(x.shape) // known if known > 0 else 0
    return reshaped(b, call, x, tuple(sizes))


@converts("Flatten")
def _flatten(b: Builder, call: Call) -> Tensor:
    x, axis = call.x, int(call.attrs.get("axis", 1))
    if not -x.rank <= axis <= x.rank:
        raise ShapeError(f"axis={axis} does not exist in input shape {x.shape}")
    axis = axis + x.rank if axis < 0 else axis
    return reshaped(b, call, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _axes(call: Call, rank: int) -> tuple[int, ...] | None:
    given = call.constant(1, "axes")
    if given is None:
        return None
    found = [int(axis) for axis in given.reshape(-1)]
    if any(not -rank <= axis < rank for axis in found):
        raise ShapeError(f"axes {found} do not exist among {rank} axes")
    return tuple(axis % rank for axis in found)


@converts("Squeeze")
def _squeeze(b: Builder, call: Call) -> Tensor:
    x, axes = call.x, _axes(call, call.x.rank)
    axes = tuple(i for i, size in enumerate(x.shape) if size == 1) if axes is None else axes
    if any(x.shape[axis] != 1 for axis in axes):
        raise ShapeError(f"axes {axes} of input shape {x.shape} are not all of size 1")
    return reshaped(b, call, x, tuple(size for i, size in enumerate(x.shape) if i not in axes))


@converts("Unsqueeze")
def _unsqueeze(b: Builder, call: Call) -> Tensor:
    x, given = call.x, call.constant(1, "axes")
    axes = _axes(call, call.x.rank + (0 if given is None else given.size)) or ()
    sizes = iter(x.shape)
    return reshaped(b, call, x, tuple(1 if i in axes else next(sizes) for i in range(x.rank + len(axes))))


@converts("Transpose")
def _transpose(b: Builder, call: Call) -> Tensor:
    x = call.x
    perm = tuple(int(axis) for axis in call.attrs.get("perm", range(x.rank - 1, -1, -1)))
    if sorted(perm) != list(range(x.rank)):
        raise ShapeError(f"perm {perm} is not an order of the {x.rank} axes of input shape {x.shape}")
    if x.value is not None:
        grid = x.grid
        if grid is not None and grid.axis is not None:
            grid = replace_axis(grid, perm.index(grid.axis % x.rank))
        value = x.value.transpose(perm)
        return Tensor(name=call.outputs[0], shape=value.shape, dtype=x.dtype, value=value, grid=grid)
    if x.is_nhwc and perm == to_last(x.rank):  # the file's own way to channels-last: nothing moves
        return b.emit("Reshape", call, [x], is_nhwc=False, shape=(0, *x.held[1:]))
    return b.emit("Transpose", call, [b.file_order(x)], perm=perm)


@converts("Concat")
def _concat(b: Builder, call: Call) -> Tensor:
    return joined(b, call, [t for t in call.inputs if t is not None])


def joined(b: Builder, call: Call, tensors: list[Tensor]) -> Tensor:
    """Tensors side by side along the call's axis."""
    rank, axis = tensors[0].rank, int(call.attrs.get("axis", 0))
    if not -rank <= axis < rank:
        raise ShapeError(f"axis={axis} does not exist in input shape {tensors[0].shape}")
    is_nhwc = any(t.is_nhwc for t in tensors) and all(t.rank == rank for t in tensors)
    held: list[Tensor | None] = [b.channels_last(t) if is_nhwc else b.file_order(t) for t in tensors]
    return b.emit("Concatenate", call, held, is_nhwc=is_nhwc, axis=last_axis(axis, rank) if is_nhwc else axis % rank)


def sliced(b: Builder, call: Call, x: Tensor, parts: list[Any], name: str | None = None) -> Tensor:
    """The places of one Slice, in the file's order of axes; with a name, as a tensor the file does not have."""
    parts = list(permuted(tuple(parts), to_last(x.rank))) if x.is_nhwc else parts
    attrs = {
        "begin": tuple(part.start for part in parts),
        "end": tuple(part.stop for part in parts),
        "strides": tuple(part.step or 1 for part in parts),
    }
    if name is None:
        return b.emit("Slice", call, [x], **attrs)
    return b.step("Slice", name, [x], is_nhwc=x.is_nhwc, **attrs)


@converts("Slice")
def _slice(b: Builder, call: Call) -> Tensor:
    arrays = [call.constant(i) if call.has(i) else None for i in range(1, 5)]
    return sliced(b, call, call.x, list(slices(call, call.x.shape, arrays)))


@converts("Split")
def _split(b: Builder, call: Call) -> list[Tensor]:
    x, axis, given = call.x, int(call.attrs.get("axis", 0)), call.constant(1, "split")
    if not -x.rank <= axis < x.rank:
        raise ShapeError(f"axis={axis} does not exist in input shape {x.shape}")
    size, count = x.shape[axis], len(call.outputs)
    step = -(-size // int(call.attrs.get("num_outputs", count)))
    sizes = [min(step, size - step * i) for i in range(count)] if given is None else [int(s) for s in given.reshape(-1)]
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise ShapeError(f"split {sizes} into {count} outputs does not fit axis {axis} of input shape {x.shape}")
    found, begin = [], 0
    for output, length in zip(call.outputs, sizes, strict=True):
        parts: list[Any] = [slice(None)] * x.rank
        parts[axis] = slice(begin, begin + length)
        begin += length
        part = Call(op=call.op, domain="", name=output, opset=call.opset, inputs=[x], outputs=[output])
        found.append(sliced(b, part, x, parts))
    return found


@converts("Pad")
def _pad(b: Builder, call: Call) -> Tensor:
    x, given, value = call.x, call.constant(1, "pads"), call.constant(2, "value")
    mode = {"constant": "constant", "reflect": "reflect"}.get(call.attrs.get("mode", "constant"))
    if mode is None or given is None:
        raise UnsupportedError(f"mode={call.attrs.get('mode')!r}: constant and reflect are supported")
    sizes, axes = [int(size) for size in given.reshape(-1)], call.constant(3)
    places = list(range(x.rank)) if axes is None else [int(axis) % x.rank for axis in axes.reshape(-1)]
    if len(sizes) != 2 * len(places):
        raise ShapeError(f"pads={sizes} needs two numbers for each of {len(places)} axes")
    pairs = [(0, 0)] * x.rank
    for i, axis in enumerate(places):
        pairs[axis] = (sizes[i], sizes[i + len(places)])
    fill = 0.0 if value is None or value.size == 0 else float(value.reshape(-1)[0])
    crops = [
        slice(max(-before, 0), size - max(-after, 0)) for size, (before, after) in zip(x.shape, pairs, strict=True)
    ]
    if any(size < 0 for pair in pairs for size in pair):
        x = sliced(b, call, x, crops, b.unique(f"{call.outputs[0]}/cropped"))
    whole = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    whole = permuted(whole, to_last(x.rank)) if x.is_nhwc else whole  # type: ignore[arg-type]
    return b.emit("Pad", call, [x], paddings=whole, value=fill, mode=mode)


@converts("Tile")
def _tile(b: Builder, call: Call) -> Tensor:
    x, repeats = call.x, call.constant(1)
    times = tuple(int(n) for n in np.reshape(repeats, -1)) if repeats is not None else (1,) * x.rank
    if len(times) != x.rank:
        raise ShapeError(f"repeats={times} needs one number an axis of input shape {x.shape}")
    return b.emit("Tile", call, [x], multiples=permuted(times, to_last(x.rank)) if x.is_nhwc else times)
