"""From what hardware gave to the likeliest cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.verify.golden import LayerRecord
from refq.verify.hypotheses import Hypothesis, of_order, of_output, of_sums

_WORTH_NAMING = 0.5
"""Part of the differing values a hypothesis must explain, beyond those it gets wrong, to be named at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The hypothesis that comes nearest to what was seen.

    cause, detail : see `refq.verify.hypotheses.CAUSES`; "" where nothing fits
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
            "reproduces every value" if not self.contradicted else f"but {self.contradicted} values differ from it"
        )
        return f"{self.cause}: {self.detail} (explains {self.explained} differing values, {certainty})"


def diagnose(
    got: NDArray[Any], known: NDArray[np.bool_], expected: NDArray[Any], faults: Iterable[Hypothesis]
) -> Diagnosis:
    """The fault that reproduces most of `got`.

    Parameters
    ----------
    got : integers in the shape of `expected`; any number where not known
    known : False where hardware gave x, z or nothing
    expected : the right values
    faults : hypotheses; of equally good ones the first wins
    """
    differs = known & (got != expected)
    unknown = int(np.count_nonzero(~known))
    total = int(np.count_nonzero(differs))
    if not total:
        cause = "unknown value" if unknown else ""
        return Diagnosis(cause=cause, detail="x, z or nothing where a value belongs", explained=unknown, contradicted=0)
    best = Diagnosis(cause="", detail="", explained=0, contradicted=total)
    for fault in faults:
        values = np.broadcast_to(fault.values, expected.shape)
        wrong = int(np.count_nonzero(known & (values != got)))
        if wrong < best.contradicted:
            explained = int(np.count_nonzero(differs & (values == got)))
            best = Diagnosis(cause=fault.cause, detail=fault.detail, explained=explained, contradicted=wrong)
        if wrong == 0:
            break
    return (
        best
        if best.contradicted <= total * (1 - _WORTH_NAMING)
        else Diagnosis(cause="", detail="", explained=0, contradicted=total)
    )


def faults_of(record: LayerRecord, tensor: str) -> Iterable[Hypothesis]:
    """The hypotheses that apply to a tensor of a layer."""
    if tensor == "y" and "placed" in record.tensors:
        return of_output(record)
    if tensor == "acc":
        return of_sums(record)
    return of_order(record.tensors[tensor].values)
