"""Converters of operators that take parts of a tensor, or repeat it."""

from __future__ import annotations

from refq.errors import ShapeError
from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts
from refq.io.tflite.reshaping_ops import reshape


@converts("SLICE")
def slice_op(builder: Builder, op: Operation) -> None:
    op.takes(3)
    shape, begin, size = op.x.shape, op.integers(1), op.integers(2)
    if not len(begin) == len(size) == len(shape):
        raise ShapeError(f"{op.kind} {op.name!r}: begin {begin} and size {size} do not fit input shape {shape}")
    if any(b < 0 or n < -1 or b + max(n, 0) > whole for b, n, whole in zip(begin, size, shape, strict=True)):
        raise ShapeError(f"{op.kind} {op.name!r}: begin {begin} and size {size} leave input shape {shape}")
    end = tuple(None if n == -1 or b + n == whole else b + n for b, n, whole in zip(begin, size, shape, strict=True))
    builder.emit("Slice", op, [op.x], begin=begin, end=end)


@converts("STRIDED_SLICE")
def strided_slice(builder: Builder, op: Operation) -> None:
    """Python slices with masks: a bit of a mask speaks of one entry of begin, end and strides."""
    op.takes(4)
    begin, end, stride = op.integers(1), op.integers(2), op.integers(3)
    if not len(begin) == len(end) == len(stride):
        raise ShapeError(f"{op.kind} {op.name!r}: begin {begin}, end {end}, strides {stride} differ in length")
    shape = op.x.shape
    starts: list[int | None] = []
    stops: list[int | None] = []
    steps: list[int] = []
    squeezed: list[int] = []
    grown: list[int] = []  # places of new axes in the output
    given = len(begin) - _count(op, "ellipsis_mask", len(begin)) - _count(op, "new_axis_mask", len(begin))
    kept = 0
    for i in range(len(begin)):
        axis = len(starts)
        if _bit(op, "ellipsis_mask", i):
            whole = len(shape) - given
            starts += [None] * whole
            stops += [None] * whole
            steps += [1] * whole
            kept += whole
        elif _bit(op, "new_axis_mask", i):
            grown.append(kept)
            kept += 1
        elif axis >= len(shape):
            raise ShapeError(f"{op.kind} {op.name!r}: {len(begin)} slices do not fit input shape {shape}")
        elif _bit(op, "shrink_axis_mask", i):
            at = begin[i] + shape[axis] if begin[i] < 0 else begin[i]
            starts.append(at)
            stops.append(at + 1)
            steps.append(1)
            squeezed.append(axis)
        else:
            stop = begin[i] + end[i] if op.option("offset", False) else end[i]
            whole = stride[i] > 0 and stop >= shape[axis]
            starts.append(None if _bit(op, "begin_mask", i) else begin[i])
            stops.append(None if _bit(op, "end_mask", i) or whole else stop)
            steps.append(stride[i])
            kept += 1
    rest = len(shape) - len(starts)
    attrs = {
        "begin": (*starts, *[None] * rest),
        "end": (*stops, *[None] * rest),
        "strides": (*steps, *[1] * rest),
        "squeeze": tuple(squeezed),
    }
    if not grown:
        builder.emit("Slice", op, [op.x], **attrs)
        return
    part = builder.tensor(f"{op.y.name}/part", op.x.qparams, op.x.dtype)
    part = builder.emit("Slice", op, [op.x], part, name=f"{op.name}/part", **attrs)
    target = list(part.shape)
    for place in grown:
        target.insert(place, 1)
    reshape(builder, op, part, tuple(target))


def _bit(op: Operation, mask: str, place: int) -> bool:
    return bool(op.option(mask, 0) >> place & 1)


def _count(op: Operation, mask: str, places: int) -> int:
    return sum(_bit(op, mask, place) for place in range(places))


@converts("TILE")
def tile(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Tile", op, [op.x], multiples=op.integers(1))


@converts("BROADCAST_TO")
def broadcast_to(builder: Builder, op: Operation) -> None:
    """The batch stays free where the shape keeps it."""
    op.takes(2)
    shape, given = op.integers(1), op.x.shape
    keeps = len(shape) == len(given) and bool(shape) and shape[0] == given[0]
    builder.emit("BroadcastTo", op, [op.x], shape=(0, *shape[1:]) if keeps else shape)


@converts("REVERSE_V2")
def reverse(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Reverse", op, [op.x], axes=op.integers(1))


@converts("UNPACK")
def unpack(builder: Builder, op: Operation) -> None:
    """One slice an output, each a node of its own."""
    op.takes(1)
    x, rank, axis = op.x, len(op.x.shape), int(op.option("axis", 0))
    if not -rank <= axis < rank or x.shape[axis] != len(op.outputs):
        raise ShapeError(f"{op.kind} {op.name!r}: {len(op.outputs)} outputs along axis {axis} of input shape {x.shape}")
    axis %= rank
    for i, output in enumerate(op.outputs):
        begin = tuple(i if a == axis else None for a in range(rank))
        end = tuple(i + 1 if a == axis else None for a in range(rank))
        builder.emit("Slice", op, [x], output, name=f"{op.name}/{i}", begin=begin, end=end, squeeze=(axis,))


@converts("SPLIT")
def split(builder: Builder, op: Operation) -> None:
    """Operands: axis, x; equal parts."""
    op.takes(2)
    axis, x, count = op.integers(0)[0], op.input(1), len(op.outputs)
    whole = x.shape[axis] if -len(x.shape) <= axis < len(x.shape) else 0
    builder.emit("Split", op, [x], axis=axis, sizes=(whole // count,) * count)


@converts("SPLIT_V")
def split_v(builder: Builder, op: Operation) -> None:
    """Operands: x, sizes (one may be -1, the rest), axis."""
    op.takes(3)
    axis, sizes = op.integers(2)[0], list(op.integers(1))
    if sizes.count(-1) == 1 and -len(op.x.shape) <= axis < len(op.x.shape):
        sizes[sizes.index(-1)] = op.x.shape[axis] - sum(sizes) - 1
    builder.emit("Split", op, [op.x], axis=axis, sizes=tuple(sizes))
