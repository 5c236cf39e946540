"""Methods of quantization-aware training on one task, in one table.

`OMP_NUM_THREADS=1 python -m models.results` trains every method on the digits with three seeds and writes
models/RESULTS.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

import refq
from models import digits as topology
from models.train import Data, accuracy, digits, graph_of
from refq.graph import Graph
from refq.quantizers import ABCWeights, APoT, Uniform
from refq.quantizers.learning import (
    Averaged,
    Blended,
    DoReFaWeights,
    FittedLevelWeights,
    InformationRetentionWeights,
    Latent,
    Lsq,
    LsqPlus,
    Pact,
    QilWeights,
    QuantizationNoise,
    Relaxed,
    ScaledSignWeights,
    SignWeights,
    SoftSteps,
    StraightThrough,
    TernaryWeights,
    TrainedTernaryWeights,
    UnitActivations,
    WrpnWeights,
    clipped,
    error_decay,
    polynomial,
    sign_swish,
)
from refq.training import (
    Network,
    adam,
    clip_latent,
    cosine,
    distillation,
    fit,
    half,
    half_slopes,
    integer_slopes,
    noisy_slopes,
    proximal,
    quantized,
    sinusoidal,
    softmax_cross_entropy,
    with_features,
)

_OUT = Path(__file__).parent / "RESULTS.md"
_WIDTH = 16
_FLOAT_EPOCHS, _EPOCHS = 20, 20


def grid(bits: int) -> Uniform:
    """Symmetric levels of weights."""
    return Uniform(bits=bits, symmetric=True, narrow=True)


def behind_relu(bits: int) -> Lsq:
    """A learned step for activations that are not negative."""
    return Lsq(bits=bits, nonnegative=True)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row: how a network is quantized, and what its training has besides.

    bits : weights / activations of the layers between the first and the last
    rules : arguments of `refq.training.quantized`
    more : arguments of `fit`, from the network
    network : fields of the Network
    trains : False for plain rounding of the float model
    unit : weights start scaled to a largest magnitude of 1, for rules whose interval is [-1, 1]
    wide : times the width
    shortcut, teacher, features : the topology with an addition, logits of a wide float model, and its inner tensors
    """

    bits: str
    rules: dict[str, Any] = field(default_factory=dict)
    more: Callable[[Network], dict[str, Any]] = lambda network: {}
    network: dict[str, Any] = field(default_factory=dict)
    trains: bool = True
    unit: bool = False
    wide: int = 1
    shortcut: bool = False
    teacher: bool = False
    features: bool = False


def clipping(network: Network) -> dict[str, Any]:
    """Latent weights stay in [-1, 1]."""
    return {"project": clip_latent(network)}


def plain(bits: int) -> Method:
    """Rounding to the nearest level, no training."""
    rules = {"weights": StraightThrough(grid=grid(bits)), "activations": Averaged(grid=Uniform(bits=bits))}
    return Method(bits=f"{bits} / {bits}", rules=rules, trains=False)


_LSQ2 = {"weights": Lsq(bits=2), "activations": behind_relu(2)}
METHODS: dict[str, Method] = {
    "plain rounding, 8 bits": Method(bits="8 / 8", trains=False),
    "plain rounding, 4 bits": plain(4),
    "plain rounding, 2 bits": plain(2),
    "STE, moving averages": Method(bits="8 / 8"),
    "STE, normalization folded": Method(bits="8 / 8", rules={"fold": True}),
    "STE, delayed activations": Method(
        bits="4 / 4",
        rules={"weights": StraightThrough(grid=grid(4)), "activations": Averaged(grid=Uniform(bits=4), delay=0.3)},
    ),
    "STE, stochastic rounding": Method(
        bits="4 / 8", rules={"weights": StraightThrough(grid=grid(4), rounding="stochastic")}
    ),
    "LSQ, 4 bits": Method(bits="4 / 4", rules={"weights": Lsq(bits=4), "activations": behind_relu(4)}),
    "LSQ": Method(bits="2 / 2", rules=_LSQ2),
    "LSQ+": Method(bits="2 / 2", rules={"weights": Lsq(bits=2), "activations": LsqPlus(bits=2)}),
    "PACT": Method(bits="2 / 2", rules={"weights": DoReFaWeights(bits=2), "activations": Pact(bits=2, decay=1e-2)}),
    "DoReFa": Method(bits="2 / 2", rules={"weights": DoReFaWeights(bits=2), "activations": UnitActivations(bits=2)}),
    "DoReFa, 6-bit gradients": Method(
        bits="2 / 2",
        rules={"weights": DoReFaWeights(bits=2), "activations": UnitActivations(bits=2)},
        network={"slopes": noisy_slopes(6)},
    ),
    "QIL weights, LSQ activations": Method(
        bits="2 / 2", rules={"weights": QilWeights(bits=2), "activations": behind_relu(2)}
    ),
    "WRPN": Method(
        bits="2 / 2", rules={"weights": WrpnWeights(bits=2), "activations": UnitActivations(bits=2)}, unit=True
    ),
    "WRPN, twice as wide": Method(
        bits="2 / 2", rules={"weights": WrpnWeights(bits=2), "activations": UnitActivations(bits=2)}, unit=True, wide=2
    ),
    "BinaryConnect": Method(bits="1 / 8", rules={"weights": SignWeights()}, more=clipping, unit=True),
    "BWN": Method(bits="1 / 8", rules={"weights": ScaledSignWeights()}),
    "TWN": Method(bits="2 / 8", rules={"weights": TernaryWeights()}),
    "TTQ": Method(bits="2 / 8", rules={"weights": TrainedTernaryWeights()}),
    "ABC-Net weights, 1 base": Method(bits="1 / 8", rules={"weights": FittedLevelWeights(levels=ABCWeights(bits=1))}),
    "ABC-Net weights, 3 bases": Method(bits="3 / 8", rules={"weights": FittedLevelWeights(levels=ABCWeights(bits=3))}),
    "APoT weights": Method(bits="4 / 8", rules={"weights": FittedLevelWeights(levels=APoT(bits=4), per_channel=False)}),
    "BNN": Method(bits="1 / 1", rules={"weights": SignWeights(), "sign": clipped}, more=clipping, unit=True),
    "XNOR-Net": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": clipped}),
    "BNN+": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(estimator=sign_swish()), "sign": sign_swish()}),
    "Bi-Real": Method(bits="1 / 1", rules={"weights": ScaledSignWeights(), "sign": polynomial}, shortcut=True),
    "IR-Net": Method(bits="1 / 1", rules={"weights": InformationRetentionWeights(), "sign": error_decay()}),
    "alpha-blending": Method(bits="2 / 8", rules={"weights": Blended(rule=StraightThrough(grid=grid(2)))}),
    "quantization noise": Method(
        bits="4 / 8", rules={"weights": QuantizationNoise(rule=StraightThrough(grid=grid(4)))}
    ),
    "soft quantization": Method(bits="4 / 8", rules={"weights": SoftSteps(grid=grid(4))}),
    "relaxed quantization": Method(bits="2 / 8", rules={"weights": Relaxed(grid=grid(2))}),
    "ProxQuant": Method(
        bits="2 / 8",
        rules={"weights": Latent(rule=StraightThrough(grid=grid(2)))},
        more=lambda network: {"project": proximal(network, 2e-2)},
    ),
    "SinReQ": Method(
        bits="4 / 8",
        rules={"weights": Latent(rule=StraightThrough(grid=grid(4)))},
        more=lambda network: {"penalty": sinusoidal(network, 1e-3)},
    ),
    "LSQ, distillation": Method(bits="2 / 2", rules=_LSQ2, teacher=True),
    "LSQ, distillation and attention": Method(bits="2 / 2", rules=_LSQ2, teacher=True, features=True),
    "BNN, distillation": Method(
        bits="1 / 1", rules={"weights": SignWeights(), "sign": clipped}, more=clipping, unit=True, teacher=True
    ),
    "INT8 training": Method(bits="8 / 8", network={"slopes": integer_slopes(8)}),
    "half precision training": Method(bits="8 / 8", network={"slopes": half_slopes(), "storage": half}),
}


ORDERINGS = (
    ("LSQ", "PACT"),
    ("PACT", "DoReFa"),
    ("XNOR-Net", "BNN"),
    ("Bi-Real", "XNOR-Net"),
    ("TTQ", "TWN"),
    ("ABC-Net weights, 3 bases", "ABC-Net weights, 1 base"),
    ("WRPN, twice as wide", "WRPN"),
    ("LSQ, distillation", "LSQ"),
    ("BNN, distillation", "BNN"),
    ("LSQ", "plain rounding, 2 bits"),
)
"""Pairs of which the literature finds the first one better."""


_WHY = (
    "A difference below the range of the seeds says nothing; the task is easy and the test set small, so that all but",
    "the binary networks come within a few points of the float model. Where an order does not show:",
    "",
    "- PACT and DoReFa share the rule for weights. DoReFa's fixed interval [0, 1] suits activations behind a",
    "  normalization that is trained with it; PACT starts at the largest value of the first batch and comes down only",
    "  part of the way in the few hundred steps of a run (seed 0: from 4.1 to 3.3 and from 10.8 to 10.0, where LSQ's",
    "  intervals end at 1.5 and 2.0), so that its steps stay coarser.",
    "- TTQ's second scale buys nothing where TWN, with a scale a filter, is as good as the float model.",
    "- The teacher of the distilled rows has seen the same 897 images and is sure of nearly all: its soft labels hold",
    "  little that the labels do not.",
)


@dataclass(frozen=True)
class Start:
    """What the methods of one seed have in common: data, float models, what the teacher says."""

    seed: int
    training: Data
    test: Data
    models: dict[tuple[int, bool], Graph]
    logits: np.ndarray
    features: np.ndarray


def start(seed: int) -> Start:
    """Train the float models of a seed."""
    training, test = digits(seed)
    models = {}
    for wide, shortcut in ((1, False), (2, False), (1, True)):
        graph = graph_of(topology.build(width=_WIDTH * wide, shortcut=shortcut), seed)
        models[wide, shortcut] = fit(graph, training, epochs=_FLOAT_EPOCHS, batch_size=32, seed=seed).graph
    teacher = refq.trace(models[2, False], training[0])
    return Start(seed, training, test, models, teacher["dense/linear"], teacher["activation_1"])


def unit_weights(graph: Graph) -> Graph:
    """The same function with max|w| = 1 before every normalization, whose averages take the factor up."""
    constants = dict(graph.constants)
    for node in graph.nodes:
        source = graph.producer(node.inputs[0]) if node.op == "BatchNormalization" else None
        if source is None or source.op != "Conv2D" or any(source.inputs[2:]):
            continue
        weight, mean, variance = source.inputs[1], *node.inputs[3:]
        factor = np.abs(constants[weight]).max()
        for name, divisor in ((weight, factor), (mean, factor), (variance, factor**2)):
            constants[name] = constants[name] / divisor
    return replace(graph, constants=constants)


def run(method: Method, given: Start) -> tuple[float, float]:
    """Accuracy on the fake and the integer path."""
    x, y = given.training
    base = given.models[method.wide, method.shortcut]
    base = unit_weights(base) if method.unit else base
    network = quantized(base, x[:128], **method.rules)
    network = replace(network, **method.network)
    targets: Any = y
    settings = method.more(network)
    if method.teacher:
        targets = (y, given.logits)
        settings["loss"] = distillation(0.5, 0.5, 4.0)
    if method.features:
        targets = (*targets, given.features)
        settings["loss"] = with_features(distillation(0.5, 0.5, 4.0), 0.5, attention=True)
        settings["reads"] = ("activation_1",)
    trained = fit(
        network,
        (x, targets),
        epochs=_EPOCHS,
        batch_size=32,
        optimizer=adam(),
        schedule=cosine(3e-3),
        seed=given.seed,
        until=None if method.trains else 0,
        **({"loss": softmax_cross_entropy} | settings),
    )
    return accuracy(trained.graph, given.test, "fake"), accuracy(trained.graph, given.test, "integer")


def percentages(parts: Any) -> list[str]:
    """Mean and range."""
    return [f"{100 * np.mean(parts):.1f}", f"{100 * min(parts):.1f} - {100 * max(parts):.1f}"]


def orderings(means: dict[str, float]) -> list[str]:
    """What the literature expects beside what the rows show."""
    lines = ["", "## Orderings of the literature", "", "| expected | points | shows |", "|---|---|---|"]
    for better, worse in ORDERINGS:
        if better in means and worse in means:
            points = means[better] - means[worse]
            lines.append(f"| {better} >= {worse} | {points:+.1f} | {'yes' if points >= 0 else 'no'} |")
    return [*lines, "", *_WHY]


def table(seeds: int, names: list[str], report: Callable[[str], None]) -> str:
    """The table as Markdown."""
    starts = [start(seed) for seed in range(seeds)]
    reals = [accuracy(given.models[1, False], given.test) for given in starts]
    lines = [
        "# Methods on handwritten digits",
        "",
        f"Written by `OMP_NUM_THREADS=1 python -m models.results --seeds {seeds}`. Task: scikit-learn's digits, 897",
        f"to train and 900 to test, split anew for each seed; convolutions of {_WIDTH}, {2 * _WIDTH} and {2 * _WIDTH}",
        f"filters. Every method starts from one float model ({_FLOAT_EPOCHS} epochs) and trains for {_EPOCHS} more",
        "with Adam, 3e-3 falling to 0 by a cosine. The first and the last layer, and what no rule is named for, have 8",
        "bits. Bits are those of weights / activations. Accuracy in percent, mean and range of the seeds: of the float",
        "path for the float model, else of the fake path; `integer` is the mean on the integer path, profile `litert`.",
        "",
        "| method | bits | accuracy | lowest - highest | integer | seconds a run |",
        "|---|---|---|---|---|---|",
        f"| {' | '.join(['float', '32 / 32', *percentages(reals)])} | | |",
    ]
    means: dict[str, float] = {}
    for name in names:
        began = time.perf_counter()
        found = [run(METHODS[name], given) for given in starts]
        seconds = (time.perf_counter() - began) / seeds
        fake, integer = zip(*found, strict=True)
        cells = [name, METHODS[name].bits, *percentages(fake), f"{100 * np.mean(integer):.1f}", f"{seconds:.1f}"]
        row = f"| {' | '.join(cells)} |"
        report(row)
        lines.append(row)
        means[name] = 100 * float(np.mean(fake))
    return "\n".join([*lines, *orderings(means)]) + "\n"


@click.command()
@click.option("--seeds", type=int, default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(METHODS)), help="Print these rows, write nothing.")
def main(seeds: int, only: tuple[str, ...]) -> None:
    """Train every method and write the table."""
    text = table(seeds, list(only) or list(METHODS), click.echo)
    if not only:
        _OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
