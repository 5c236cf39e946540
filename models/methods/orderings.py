"""Pairs of methods of which the literature finds one better, and what explains a run that does not show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill


@dataclass(frozen=True)
class Ordering:
    """`better` is expected to be at least as good as `worse`; a task's reason is printed where it does not show."""

    better: str
    worse: str
    digits: str = ""
    cifar10: str = ""


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
        "the teacher, twice as wide and trained on shifted images, is hardly better on the test images than what it "
        "teaches, and a tenth of a point is one image of 900.",
    ),
    Ordering("BNN, distillation", "BNN"),
    Ordering("LSQ+ behind swish", "LSQ without offset behind swish"),
    Ordering("LSQ", "plain rounding, 2 bits"),
    Ordering("coordinate descent at LSQ's start", "rounding at LSQ's start"),
    Ordering("target propagation", "BNN"),
    Ordering("LSQ, distillation", "LSQ, distillation, teacher of the same images"),
)


REMARKS = {
    "digits": "The task is easy and the test set small, so that all but the binary networks come within a few points "
    "of the float model.",
    "cifar10": "",
}


def compared(means: Mapping[str, float], task: str) -> list[str]:
    """Lines of Markdown: what the literature expects beside what the rows show, and the reasons for what differs.

    Parameters
    ----------
    means : method -> accuracy in percent
    task : whose reasons
    """
    known = [pair for pair in ORDERINGS if pair.better in means and pair.worse in means]
    rows, reasons = [], []
    for pair in known:
        points = means[pair.better] - means[pair.worse]
        rows.append(f"| {pair.better} >= {pair.worse} | {points:+.1f} | {'yes' if points >= 0 else 'no'} |")
        why = getattr(pair, task)
        if points < 0 and why:
            reasons += ["", fill(f"- {pair.better} below {pair.worse}: {why}", 120, subsequent_indent="  ")]
    lines = ["", "## Orderings of the literature", "", "| expected | points | shows |", "|---|---|---|", *rows]
    lines += ["", fill(f"A difference below the range of the seeds says nothing. {REMARKS[task]}".strip(), 120)]
    return [*lines, "", "Where an order does not show:", *reasons] if reasons else lines
