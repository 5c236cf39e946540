"""Pairs of methods of which the literature finds one better, and what explains a run that does not show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill


@dataclass(frozen=True)
class Ordering:
    """`better` is expected to be at least as good as `worse`; a task's reason is printed where it does not show."""

    better: str
    worse: str
    digits: str = ""
    cifar10: str = ""


_NEAR_THE_FLOAT_MODEL = "both come within a point of the float model, which leaves nothing for the finer one to win."
_TRAINED_IN_FRONT = (
    "DoReFa's fixed interval [0, 1] suits activations behind a normalization that is trained with it, so that learned "
    "limits have little to add."
)
_NEARLY_BINARY = (
    "TTQ's threshold is a twentieth of the largest weight, which leaves few zeros where weights have no heavy tails: "
    "its layers are nearly binary."
)
_HARDLY_BETTER = (
    "the teacher, twice as wide and trained on shifted images, is hardly better on the test images than what it "
    "teaches, and a tenth of a point is one image of 900."
)
_ONE_BIT_IS_ENOUGH = "weights of one bit beside activations of 8 equal the float model here already."

ORDERINGS = (
    Ordering("LSQ", "PACT", _NEAR_THE_FLOAT_MODEL),
    Ordering("LSQ", "QIL"),
    Ordering("QIL", "DoReFa", _TRAINED_IN_FRONT),
    Ordering(
        "PACT",
        "DoReFa",
        f"both share the rule for weights. {_TRAINED_IN_FRONT} On its way down from 10, PACT's level spends steps in "
        "which the activations have hardly any levels.",
    ),
    Ordering("BinaryConnect, drawn", "BinaryConnect", _ONE_BIT_IS_ENOUGH),
    Ordering("LAB", "BWN", _ONE_BIT_IS_ENOUGH),
    Ordering("LAB", "BinaryConnect", _ONE_BIT_IS_ENOUGH),
    Ordering("XNOR-Net", "BNN"),
    Ordering("Bi-Real", "XNOR-Net"),
    Ordering("IR-Net", "XNOR-Net"),
    Ordering("HORQ", "XNOR-Net"),
    Ordering("TBN", "XNOR-Net"),
    Ordering("ABC-Net activations, 3 bases", "ABC-Net activations, 1 base"),
    Ordering("ABC-Net, 3 and 3 bases", "XNOR-Net"),
    Ordering("TWN", "BWN", _ONE_BIT_IS_ENOUGH),
    Ordering("TTQ", "TWN", f"{_NEAR_THE_FLOAT_MODEL} {_NEARLY_BINARY}", _NEARLY_BINARY),
    Ordering("TTQ, half of the weights 0", "TWN", _NEAR_THE_FLOAT_MODEL),
    Ordering("LAT, exact", "TWN", _NEAR_THE_FLOAT_MODEL),
    Ordering("ABC-Net weights, 3 bases", "ABC-Net weights, 1 base"),
    Ordering("WRPN, twice as wide", "WRPN"),
    Ordering(
        "LSQ, distillation",
        "LSQ",
        _HARDLY_BETTER,
    ),
    Ordering("BNN, distillation", "BNN"),
    Ordering("LSQ+ behind swish", "LSQ without offset behind swish"),
    Ordering("LSQ", "plain rounding, 2 bits"),
    Ordering("coordinate descent at LSQ's start", "rounding at LSQ's start"),
    Ordering("target propagation", "BNN"),
    Ordering("dense signs, feasible targets", "dense signs, straight through"),
    Ordering("stochastic neurons, straight through", "stochastic neurons, unbiased"),
    Ordering("LSQ, distillation", "LSQ, distillation, teacher of the same images", _HARDLY_BETTER),
)


REMARKS = {
    "digits": "The task is easy and the test set small, so that all but the binary networks come within a few points "
    "of the float model.",
    "cifar10": "Accuracies are far below those of papers, which train wider networks on ten times the images and "
    "for far longer: rows are to be compared with one another.",
}


def compared(found: Mapping[str, Sequence[float]], task: str) -> list[str]:
    """Lines of Markdown: what the literature expects beside what the rows show, and the reasons for what differs.

    Parameters
    ----------
    found : method -> accuracy of every seed in percent, the same seeds for all
    task : whose reasons
    """
    rows: list[str] = []
    reasons: list[str] = []
    for pair in ORDERINGS:
        if pair.better not in found or pair.worse not in found:
            continue
        points = [b - w for b, w in zip(found[pair.better], found[pair.worse], strict=True)]
        mean = sum(points) / len(points)
        shows = "yes" if mean >= 0 else "no"
        seeds = f"{sum(point >= 0 for point in points)} of {len(points)}"
        rows.append(f"| {pair.better} >= {pair.worse} | {mean:+.1f} | {shows} | {seeds} |")
        why = getattr(pair, task)
        if mean < 0 and why:
            reasons += ["", fill(f"- {pair.better} below {pair.worse}: {why}", 120, subsequent_indent="  ")]
    lines = ["", "## Orderings of the literature", "", "| expected | points | shows | in seeds |", "|---|---|---|---|"]
    about = f"Points are means of the differences of a seed; where seeds disagree they say little. {REMARKS[task]}"
    lines += [*rows, "", fill(about.strip(), 120)]
    return [*lines, "", "Where an order does not show:", *reasons] if reasons else lines
