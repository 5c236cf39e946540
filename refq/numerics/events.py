"""Events: what an integer run did at its limits, counted node by node.

    events = Events()
    refq.run(graph, x, path="integer", arithmetic=LITERT.watched(events))
    print(events)

Nothing is counted, and nothing costs time, unless an Arithmetic is watched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.accumulator import Accumulator
from refq.numerics.requantize import Requantizer

KINDS = {
    "accumulator_overflow": "sums that do not fit the accumulator and stop the run (overflow='raise')",
    "accumulator_wrapped": "sums that lost their high bits in the accumulator",
    "accumulator_saturated": "sums held at an end of the accumulator",
    "left_shift_wrapped": "accumulators that lost high bits in a requantizer's left shift",
    "tie": "values exactly half way between two integers at the (first) rounding step of a requantizer",
    "second_tie": "the same at its second rounding step",
    "clamped_low": "results below the lowest code of the output",
    "clamped_high": "results above the highest code of the output",
}


class Events:
    """Counts by node and kind; runs add to it.

    >>> events = Events()
    >>> events.add("conv", "tie", 3)
    >>> events["conv", "tie"], events.total("tie"), events["conv", "clamped_low"]
    (3, 3, 0)
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, node: str, kind: str, number: int = 1) -> None:
        """Count `number` more events; KeyError for an unknown kind."""
        if kind not in KINDS:
            raise KeyError(f"event kind {kind!r} is not one of {', '.join(KINDS)}")
        if number:
            self._counts[node, kind] += number

    def add_clamped(self, node: str, codes: NDArray[Any], low: int, high: int) -> None:
        """Count the results that a clamp to [low, high] changes."""
        self.add(node, "clamped_low", int(np.count_nonzero(codes < low)))
        self.add(node, "clamped_high", int(np.count_nonzero(codes > high)))

    def __getitem__(self, key: tuple[str, str]) -> int:
        return self._counts.get(key, 0)

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """(node, kind, count) in the order of first occurrence."""
        return ((node, kind, count) for (node, kind), count in self._counts.items())

    def total(self, kind: str) -> int:
        """How often one kind occurred in all nodes."""
        return sum(count for _, found, count in self if found == kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Events) and dict(self._counts) == dict(other._counts)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        """One row a node, one column a kind that occurred, and the totals."""
        kinds = [kind for kind in KINDS if self.total(kind)]
        if not kinds:
            return "no events"
        nodes = list(dict.fromkeys(node for node, _, _ in self))
        rows = [(node, [self[node, kind] for kind in kinds]) for node in nodes]
        rows.append(("total", [self.total(kind) for kind in kinds]))
        width = max(len(name) for name, _ in [*rows, ("node", None)])
        lines = [f"{'node':<{width}}  " + "  ".join(kinds)]
        for name, counts in rows:
            cells = (f"{count:>{len(kind)}}" for kind, count in zip(kinds, counts, strict=True))
            lines.append(f"{name:<{width}}  " + "  ".join(cells))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedAccumulator(Accumulator):
    """An accumulator that counts the sums it cannot hold."""

    events: Events = field(compare=False, repr=False)
    node: str = ""

    def fit(self, sums: NDArray[Any]) -> NDArray[np.int64]:
        if self.bits < 64:
            end = np.int64(1) << (self.bits - 1)
            sums = np.asarray(sums, np.int64)
            kind = {"wrap": "wrapped", "saturate": "saturated", "raise": "overflow"}[self.overflow]
            self.events.add(self.node, f"accumulator_{kind}", int(np.count_nonzero((sums < -end) | (sums >= end))))
        return super(WatchedAccumulator, self).fit(sums)


def watched_accumulator(accumulator: Accumulator, events: Events, node: str) -> Accumulator:
    """The same accumulator, counting."""
    kept = {each.name: getattr(accumulator, each.name) for each in fields(accumulator)}
    return WatchedAccumulator(**kept, events=events, node=node)


def watched_requantizer(requantizer: Requantizer, events: Events, node: str) -> Requantizer:
    """The same requantizer, counting what its `observe` finds."""
    observe, apply = requantizer.observe, requantizer.apply
    if observe is None:
        return requantizer

    def counted(acc: NDArray[np.int64], *factors: NDArray[Any]) -> NDArray[np.int64]:
        y = apply(acc, *factors)
        for kind, mask in observe(acc, *factors).items():
            events.add(node, kind, int(np.count_nonzero(np.broadcast_to(mask, y.shape))))
        return y

    return replace(requantizer, apply=counted)
