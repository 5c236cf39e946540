"""From what hardware gave to the likeliest cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.verify.faults import Hypothesis, of_order, of_output, of_sums
from refq.verify.records import LayerRecord

_WORTH_NAMING = 0.5
"""Part of the differing values a hypothesis must get right, net of those it gets wrong, to be named at all."""

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The hypothesis that comes nearest to what was seen.

    cause, detail : see `refq.verify.faults.CAUSES`; "" where nothing fits
    explained : differing values it reproduces
    contradicted : values, of all, that it gets wrong
    """

    cause: str
    detail: str
    explained: int
    contradicted: int

    def __str__(self) -> str:
        if not self.cause:
            return "no known fault reproduces these values"
        certainty = (
            "reproduces every value" if not self.contradicted else f"{self.contradicted} values speak against it"
        )
        return f"{self.cause}: {self.detail} (explains {self.explained} differing values, {certainty})"


@dataclass
class Evidence:
    """How well every hypothesis does, over any number of tensors that the same hardware gave.

    >>> evidence = Evidence()
    >>> got, known = np.array([2, 3]), np.array([True, True])
    >>> fault = Hypothesis(cause="bias", detail="one more", values=got)
    >>> evidence.add(got, known, np.array([1, 2]), [fault])
    >>> str(evidence.diagnosis())
    'bias: one more (explains 2 differing values, reproduces every value)'
    """

    differing: int = 0
    unknown: int = 0
    checked: int = 0
    wrong: dict[Fault, int] = field(default_factory=dict[Fault, int])
    explained: dict[Fault, int] = field(default_factory=dict[Fault, int])

    def add(
        self, got: NDArray[Any], known: NDArray[np.bool_], expected: NDArray[Any], faults: Iterable[Hypothesis]
    ) -> None:
        """Weigh one tensor.

        Parameters
        ----------
        got : integers in the shape of `expected`; any number where not known
        known : False where hardware gave x, z or nothing
        expected : the right values
        faults : hypotheses; one that a tensor has no form of counts as being right there, as the golden values are
        """
        differs = known & (got != expected)
        here = int(np.count_nonzero(differs))
        seen: set[Fault] = set()
        for each in faults:
            fault = (each.cause, each.detail)
            if fault in seen:
                continue
            seen.add(fault)
            values = np.broadcast_to(each.values, expected.shape)
            self.wrong[fault] = self.wrong.get(fault, self.differing) + int(np.count_nonzero(known & (values != got)))
            self.explained[fault] = self.explained.get(fault, 0) + int(np.count_nonzero(differs & (values == got)))
        for fault in self.wrong.keys() - seen:
            self.wrong[fault] += here
        self.differing += here
        self.unknown += int(np.count_nonzero(~known))
        self.checked += expected.size

    def diagnosis(self) -> Diagnosis:
        """The hypothesis with the fewest wrong values; of equally good ones the first."""
        if not self.differing:
            if not self.unknown:
                return Diagnosis(cause="", detail="", explained=0, contradicted=0)
            return Diagnosis(
                cause="unknown value",
                detail="x, z or nothing where a value belongs",
                explained=self.unknown,
                contradicted=0,
            )
        best = min(self.wrong, key=lambda fault: self.wrong[fault], default=None)
        if self.unknown >= self.differing and (best is None or self.wrong[best]):
            return Diagnosis(
                cause="unknown value",
                detail="x, z or nothing where a value belongs",
                explained=self.unknown,
                contradicted=self.differing,
            )
        if best is None or self.wrong[best] > self.differing * (1 - _WORTH_NAMING):
            return Diagnosis(cause="", detail="", explained=0, contradicted=self.differing)
        cause, detail = best
        return Diagnosis(cause=cause, detail=detail, explained=self.explained[best], contradicted=self.wrong[best])


def faults_of(record: LayerRecord, tensor: str) -> Iterable[Hypothesis]:
    """The hypotheses that apply to a tensor of a layer."""
    if tensor == "y" and "placed" in record.tensors:
        return of_output(record)
    if tensor == "acc":
        return of_sums(record)
    return of_order(record.tensors[tensor].values)
