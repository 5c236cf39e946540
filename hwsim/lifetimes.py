"""Placement of tensors in one memory by their lifetimes: the arena a runtime needs.

Buffers are placed largest first, each at the lowest address where it overlaps no buffer that is alive at the same time
(first fit by decreasing size, as embedded runtimes plan). The arena is at least the largest sum of what is alive at
once, and more where fragments do not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A tensor of `size` bytes that is alive from step `first` to step `last`, both included."""

    name: str
    size: int
    first: int
    last: int


def place(buffers: Sequence[Buffer]) -> dict[str, int]:
    """Name -> byte address of every buffer.

    Examples
    --------
    >>> place([Buffer(name="a", size=4, first=0, last=1), Buffer(name="b", size=2, first=1, last=2)])
    {'a': 0, 'b': 4}
    """
    placed: list[tuple[int, Buffer]] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first, b.name)):
        address = 0
        for start, other in sorted(placed, key=lambda pair: pair[0]):
            if other.first <= buffer.last and buffer.first <= other.last:
                if start - address >= buffer.size:
                    break
                address = max(address, start + other.size)
        placed.append((address, buffer))
    return {buffer.name: address for address, buffer in placed}


def arena_bytes(buffers: Sequence[Buffer]) -> int:
    """Bytes from address 0 to the end of the last buffer."""
    addresses = place(buffers)
    return max((addresses[buffer.name] + buffer.size for buffer in buffers), default=0)


def alive_bytes(buffers: Sequence[Buffer]) -> int:
    """The largest sum of sizes alive at one step: no placement needs less."""
    steps = {buffer.first for buffer in buffers}
    return max((sum(b.size for b in buffers if b.first <= step <= b.last) for step in steps), default=0)
