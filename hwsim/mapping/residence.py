"""Operations whose feature maps do not fit on chip: in turn, by stripes of rows.

Where input and output of an operation do not fit together it runs in stripes of rows, in turn with the operation before
it: what passes between them stays in rolling buffers on chip, what leaves the last of such a chain goes outside. Which
other maps stay on chip: hwsim/mapping/placement.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwsim.mapping.block_shape import SPLIT, Shape, up


@dataclass(slots=True)
class Map:
    """A feature map: bytes, whether it lies row by row instead of in bricks of 16 channels, operations that write and
    read it; whether it must lie outside, lies near, passes through a rolling buffer."""

    size: int
    linear: bool = False
    writers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    outside: bool = False
    near: bool = True
    rolling: bool = False

    @property
    def first(self) -> int:
        return self.writers[0] if self.writers else -1

    @property
    def last(self) -> int:
        return max([*self.readers, *self.writers])


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation in its order: shape, map it writes, maps it reads (the first one streams), whether it may run in
    stripes, bytes of its parameters; elements it reads of every map and writes."""

    shape: Shape
    writes: Map
    reads: tuple[Map, ...]
    stripes: bool
    parameters: float
    read: float = 0.0
    wrote: float = 0.0


def stripes(operations: list[Operation], room: float) -> tuple[list[int], list[float]]:
    """Rows of output every operation works on at a time, 0 where it takes all at once; bytes of rolling buffers.

    Sets which maps roll, and which leave a chain for the memory outside.
    """
    heights, rolling = [0] * len(operations), [0.0] * len(operations)
    start = 0
    while start < len(operations):
        end = start
        while end + 1 < len(operations) and _follows(operations[end], operations[end + 1], end + 1):
            if _streamed(operations[end + 1]) < room:
                break
            end += 1
        for first, last, rows, size in _chains(operations[start : end + 1], room):
            heights[start + first : start + last + 1] = rows
            rolling[start + first : start + last + 1] = [size] * len(rows)
            for op in operations[start + first : start + last]:
                op.writes.rolling = True
            operations[start + last].writes.outside = True
        start = end + 1
    return heights, rolling


_Chain = tuple[int, int, list[int], float]


def _follows(one: Operation, other: Operation, position: int) -> bool:
    alone = one.writes.writers == [position - 1] and one.writes.readers == [position]
    kept = alone and not one.writes.outside and not one.writes.linear
    return kept and one.stripes and other.stripes and bool(other.reads) and other.reads[0] is one.writes


def _streamed(op: Operation) -> int:
    return op.writes.size + op.reads[0].size


def _chains(operations: list[Operation], room: float) -> list[_Chain]:
    """(first, last, rows, bytes) of the chains: of as many rows as fit, in no more chains than two rows need."""
    best: list[_Chain] = []
    if len(operations) < 2:
        return best
    for rows in range(1, max(1, (operations[-1].shape.height + 1) // 2) + 1):
        heights = _heights(operations, rows)
        found = _split(operations, heights, room)
        inside = {k for first, last, _, _ in found for k in range(first, last + 1)}
        left_out = any(_streamed(op) > room for k, op in enumerate(operations) if k not in inside)
        if rows > 1 and (left_out or (rows > 2 and len(found) > len(best))):
            break
        best = found
    return best


def _split(operations: list[Operation], heights: list[int], room: float) -> list[_Chain]:
    found: list[_Chain] = []
    start = 0
    while start < len(operations):
        end, size = start, operations[start].parameters
        while end + 1 < len(operations) and _streamed(operations[end + 1]) >= room:
            more = _rolling(operations[end], operations[end + 1], heights[end], heights[end + 1])
            if size + more + operations[end + 1].parameters > room:
                break
            size += more + operations[end + 1].parameters
            end += 1
        if end > start:
            found.append((start, end, heights[start : end + 1], size))
        start = end + 1
    return found


def _heights(operations: list[Operation], height: int) -> list[int]:
    found = [height]
    for op in reversed(operations[1:]):
        found.append(found[-1] * op.shape.stride[0])
    return [min(rows, op.shape.height) for rows, op in zip(reversed(found), operations, strict=True)]


def _rolling(before: Operation, op: Operation, wrote: int, rows: int) -> float:
    """Bytes of the buffer between two operations that write and read so many rows at a time."""
    need = (rows - 1) * op.shape.stride[0] + (op.shape.window[0] - 1) * op.shape.dilation[0] + 1
    need = min(need, op.shape.rows)
    return float(up(wrote + need, need) * before.shape.width * up(before.shape.depth, SPLIT))
