"""Channels-first and channels-last: orders of axes, and what an axis of the file is called in the other order."""

from __future__ import annotations

from math import prod

Shape = tuple[int, ...]


def to_last(rank: int) -> tuple[int, ...]:
    """The order that brings (N, C, ...) to (N, ..., C)."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> tuple[int, ...]:
    """The order that brings (N, ..., C) to (N, C, ...)."""
    return (0, rank - 1, *range(1, rank - 1))


def permuted(values: Shape, order: tuple[int, ...]) -> Shape:
    """Values in another order of axes."""
    return tuple(values[axis] for axis in order)


def last_axis(axis: int, rank: int) -> int:
    """Where axis `axis` of the file's order stands channels-last."""
    axis %= rank
    return 0 if axis == 0 else rank - 1 if axis == 1 else axis - 1


def same_elements(shape: Shape) -> bool:
    """Whether both orders of a tensor of this file shape hold the same elements in the same places."""
    return shape[1] == 1 or prod(shape[2:]) == 1
