"""Pairs of methods of which the literature finds one better, and what explains a run that does not show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ordering:
    """`better` is expected to be at least as good as `worse`; `why` is printed where a table does not show it."""

    better: str
    worse: str
    why: str = ""


ORDERINGS = (
    Ordering("LSQ", "PACT"),
    Ordering(
        "PACT",
        "DoReFa",
        "both share the rule for weights. DoReFa's fixed interval [0, 1] suits activations behind a normalization that "
        "is trained with it; PACT starts at the largest value of the first batch and comes down only part of the way "
        "in the few hundred steps of a run, so that its steps stay coarser.",
    ),
    Ordering("XNOR-Net", "BNN"),
    Ordering("Bi-Real", "XNOR-Net"),
    Ordering("TTQ", "TWN", "a second scale buys nothing where TWN, with a scale a filter, equals the float model."),
    Ordering("ABC-Net weights, 3 bases", "ABC-Net weights, 1 base"),
    Ordering("WRPN, twice as wide", "WRPN"),
    Ordering(
        "LSQ, distillation",
        "LSQ",
        "the teacher has seen the same 897 images and is sure of nearly all: its soft labels hold little that the "
        "labels do not.",
    ),
    Ordering("BNN, distillation", "BNN"),
    Ordering("LSQ+ behind swish", "LSQ without offset behind swish"),
    Ordering("LSQ", "plain rounding, 2 bits"),
    Ordering("coordinate descent at LSQ's start", "rounding at LSQ's start"),
    Ordering("target propagation", "BNN"),
)


def compared(means: Mapping[str, float]) -> list[str]:
    """Lines of Markdown: what the literature expects beside what the rows show, and the reasons for what differs.

    Parameters
    ----------
    means : method -> accuracy in percent
    """
    known = [pair for pair in ORDERINGS if pair.better in means and pair.worse in means]
    rows, reasons = [], []
    for pair in known:
        points = means[pair.better] - means[pair.worse]
        rows.append(f"| {pair.better} >= {pair.worse} | {points:+.1f} | {'yes' if points >= 0 else 'no'} |")
        if points < 0 and pair.why:
            reasons.append(f"- {pair.better} below {pair.worse}: {pair.why}")
    lines = ["", "## Orderings of the literature", "", "| expected | points | shows |", "|---|---|---|", *rows]
    lines += [
        "",
        "A difference below the range of the seeds says nothing; the task is easy and the test set small, so that all",
        "but the binary networks come within a few points of the float model.",
    ]
    return [*lines, "Where an order does not show:", "", *reasons] if reasons else lines
