"""Runs of a table: a method, a seed, and what came out; kept, so that an interrupted table goes on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.methods import Method, Real
from models.tasks import Task
from models.train import Data, accuracy, graph_of
from refq.graph import Graph
from refq.training import adam, cosine, distill, fit, quantized


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: accuracies on the fake and the integer path (float: both of the float path), processor seconds."""

    task: str
    method: str
    seed: int
    fake: float
    integer: float
    bits: str
    seconds: float


class Kept:
    """Cells in a file, one a line, and checkpoints of float models beside it; nothing is kept without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def cells(self, task: str) -> dict[tuple[str, int], Cell]:
        """Those of a task, by method and seed."""
        path = None if self.folder is None else self.folder / "cells.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
        found = [Cell(**json.loads(line)) for line in lines]
        return {(cell.method, cell.seed): cell for cell in found if cell.task == task}

    def add(self, cell: Cell) -> None:
        """Append a cell."""
        if self.folder is not None:
            with open(self.folder / "cells.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(cell)) + "\n")

    def checkpoint(self, task: str, seed: int, real: Real) -> Path | None:
        """Where training of a float model goes on."""
        names = "-".join(map(str, asdict(real).values()))
        return None if self.folder is None else self.folder / f"{task}-{seed}-{names}.npz"


@dataclass(frozen=True)
class Start:
    """What the methods of one seed have in common: data, and float models, each trained when it is first asked for."""

    task: Task
    seed: int
    kept: Kept
    training: Data
    seen: Data
    test: Data
    models: dict[Real, Graph] = field(default_factory=dict)

    def model(self, real: Real) -> Graph:
        """A trained float model."""
        if real not in self.models:
            network = self.task.topology(width=real.width, shortcut=real.shortcut, function=real.function)
            checkpoint = self.kept.checkpoint(self.task.name, self.seed, real)
            settings = self.task.real(real)
            self.models[real] = fit(
                graph_of(network, self.seed), self.training, seed=self.seed, checkpoint=checkpoint, **settings
            ).graph
        return self.models[real]


def start(task: Task, seed: int, kept: Kept) -> Start:
    """Data of a seed."""
    training, test = task.data(seed)
    return Start(task, seed, kept, training, task.seen(training, seed), test)


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


def real_cell(given: Start) -> Cell:
    """The float model that methods start from."""
    found = accuracy(given.model(Real()), given.test)
    task, seed = given.task.name, given.seed
    return Cell(task=task, method="float", seed=seed, fake=found, integer=found, bits="32 / 32", seconds=0.0)


def run(name: str, method: Method, given: Start) -> Cell:
    """Train with a method; the bits are counted where those of weights are learned."""
    x, y = given.seen
    base, teachers = given.model(method.start), [given.model(real) for real in method.teachers]
    began = time.process_time()
    graph = fitted(method, given, base, teachers) if method.whole is None else method.whole(x, y, given.seed)
    fake, integer = (accuracy(graph, given.test, path) for path in ("fake", "integer"))
    return Cell(
        task=given.task.name,
        method=name,
        seed=given.seed,
        fake=fake,
        integer=integer,
        bits=method.bits.replace("learned", inner_bits(graph)),
        seconds=time.process_time() - began,
    )


def fitted(method: Method, given: Start, base: Graph, teachers: list[Graph]) -> Graph:
    """A run of `fit` from a float model."""
    x, y = given.seen
    base = unit_weights(base) if method.unit else base
    network = replace(quantized(base, x[:128], **method.rules), **method.network)
    settings: dict[str, Any] = {"data": (x, y), "optimizer": adam(), "schedule": cosine(3e-3)}
    if teachers:
        settings |= distill(teachers, x, y, **method.lesson)
    settings |= method.more(network)
    until, task = None if method.trains else 0, given.task
    trained = fit(network, epochs=task.epochs, batch_size=task.batch_size, seed=given.seed, until=until, **settings)
    return method.after(trained.graph, x)


def inner_bits(graph: Graph) -> str:
    """Bits of the weights of every layer between the first and the last."""
    weights = [node.inputs[1] for node in graph.nodes if node.op in ("Conv2D", "Dense")]
    grids = [graph.tensors[name].qparams for name in weights[1:-1]]
    return ", ".join(str(grid.bits) for grid in grids if grid is not None)
