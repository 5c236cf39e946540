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

from models import digits as topology
from models.methods import METHODS, Method, Real
from models.methods.orderings import compared
from models.train import Data, accuracy, digits, graph_of
from refq.graph import Graph
from refq.training import adam, cosine, distill, fit, pad_crop, quantized

_OUT = Path(__file__).parent / "RESULTS.md"
_WIDTH = Real().width
_FLOAT_EPOCHS, _EPOCHS = 20, 20


@dataclass(frozen=True)
class Start:
    """What the methods of one seed have in common: data, and float models, each trained when it is first asked for."""

    seed: int
    training: Data
    test: Data
    models: dict[Real, Graph] = field(default_factory=dict)

    def model(self, real: Real) -> Graph:
        """A trained float model."""
        if real not in self.models:
            network = topology.build(width=real.width, shortcut=real.shortcut, function=real.function)
            self.models[real] = fit(
                graph_of(network, self.seed),
                self.training,
                epochs=_FLOAT_EPOCHS * (3 if real.shifted else 1),
                batch_size=32,
                augment=pad_crop(1) if real.shifted else None,
                seed=self.seed,
            ).graph
        return self.models[real]


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


def run(method: Method, given: Start) -> tuple[float, float, str]:
    """Accuracy on the fake and the integer path, and the bits, those of weights counted where they are learned."""
    x, y = given.training
    base = given.model(method.start)
    base = unit_weights(base) if method.unit else base
    network = quantized(base, x[:128], **method.rules)
    network = replace(network, **method.network)
    settings: dict[str, Any] = {"data": (x, y), "optimizer": adam(), "schedule": cosine(3e-3)}
    if method.teachers:
        settings |= distill([given.model(real) for real in method.teachers], x, y, **method.lesson)
    settings |= method.more(network)
    until = None if method.trains else 0
    trained = fit(network, epochs=_EPOCHS, batch_size=32, seed=given.seed, until=until, **settings)
    graph = method.after(trained.graph, x)
    fake, integer = (accuracy(graph, given.test, path) for path in ("fake", "integer"))
    return fake, integer, method.bits.replace("learned", inner_bits(graph))


def inner_bits(graph: Graph) -> str:
    """Bits of the weights of every layer between the first and the last."""
    weights = [node.inputs[1] for node in graph.nodes if node.op in ("Conv2D", "Dense")]
    grids = [graph.tensors[name].qparams for name in weights[1:-1]]
    return ", ".join(str(grid.bits) for grid in grids if grid is not None)


def percentages(parts: Any) -> list[str]:
    """Mean and range."""
    return [f"{100 * np.mean(parts):.1f}", f"{100 * min(parts):.1f} - {100 * max(parts):.1f}"]


def table(seeds: int, names: list[str], report: Callable[[str], None]) -> str:
    """The table as Markdown."""
    starts = [Start(seed, *digits(seed)) for seed in range(seeds)]
    reals = [accuracy(given.model(Real()), given.test) for given in starts]
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
        fake, integer, bits = zip(*found, strict=True)
        cells = [
            name,
            "; ".join(dict.fromkeys(bits)),
            *percentages(fake),
            f"{100 * np.mean(integer):.1f}",
            f"{seconds:.1f}",
        ]
        row = f"| {' | '.join(cells)} |"
        report(row)
        lines.append(row)
        means[name] = 100 * float(np.mean(fake))
    return "\n".join([*lines, *compared(means)]) + "\n"


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
