"""Which feature maps lie on chip, of a device that spills: all that fit; of those that compete, the most touched.

Inputs and outputs of the model lie outside. Maps that compete at a time form a group; of a group stays what is read and
written most in sum, every element counted as often as blocks need it again (fast storage of ethos-u-vela).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.mapping.residence import Map, Operation

_GROUP = 21
"""Maps that are weighed against each other at most"""
_Room = NDArray[np.float64]


def place(operations: list[Operation], maps: list[Map], taken: list[float], room: float) -> None:
    """Set `near` of every map, where so many bytes are taken on chip at each operation."""
    used = np.array(taken, dtype=np.float64)
    for found in maps:
        found.near = not found.outside
    wanted = [found for found in maps if not found.outside and not found.rolling]
    for found in wanted:
        found.near = bool((used[_span(found)] + found.size <= room).all())
    wanted = [found for found in wanted if found.near]
    crowded = used.copy()
    for found in wanted:
        crowded[_span(found)] += found.size
    rivals = [found for found in wanted if (crowded[_span(found)] > room).any()]
    kept = {id(found) for found in rivals}
    for found in wanted:
        if id(found) not in kept:
            used[_span(found)] += found.size
    for group in _groups(sorted(rivals, key=lambda found: found.first)):
        worth = [_touched(found, operations) for found in group]
        for found, near in zip(group, _best(group, worth, used, room), strict=True):
            found.near = near
            used[_span(found)] += found.size * near
    for op in operations:
        if op.shape.kind == "elementwise" and not all(found.near for found in op.reads):
            for found in op.reads:
                found.near = found.near and found.rolling


def _span(found: Map) -> slice:
    return slice(max(0, found.first), found.last + 1)


def _groups(rivals: list[Map]) -> list[list[Map]]:
    """Maps alive at overlapping times, in order."""
    groups: list[list[Map]] = []
    end = -1
    for found in rivals:
        if groups and found.first <= end and len(groups[-1]) < _GROUP:
            groups[-1].append(found)
            end = max(end, found.last)
        else:
            groups.append([found])
            end = found.last
    return groups


def _touched(found: Map, operations: list[Operation]) -> float:
    """Elements read and written; beyond all others where an operation reads it beside a rolling buffer."""
    readers = [operations[k] for k in found.readers]
    if any(other.rolling for op in readers for other in op.reads):
        return float("inf")
    return sum(op.read for op in readers if any(x is found for x in op.reads)) + sum(
        operations[k].wrote for k in found.writers
    )


def _best(group: list[Map], worth: list[float], used: _Room, room: float) -> list[bool]:
    """Which of the group to keep: the most worth that fits at all times, the first such choice in order."""
    worth = [min(value, 1e15) for value in worth]
    left = [sum(worth[k:]) for k in range(len(worth) + 1)]
    best, kept = -1.0, [False] * len(group)
    choice = [False] * len(group)

    def choose(k: int, score: float, used: _Room) -> None:
        nonlocal best, kept
        if score + left[k] <= best:
            return
        if k == len(group):
            best, kept = score, list(choice)
            return
        span = _span(group[k])
        if (used[span] + group[k].size <= room).all():
            more = used.copy()
            more[span] += group[k].size
            choice[k] = True
            choose(k + 1, score + worth[k], more)
        choice[k] = False
        choose(k + 1, score, used)

    choose(0, 0.0, used)
    return kept
