"""Methods of quantization-aware training, a table a task, in models/RESULTS.md.

OMP_NUM_THREADS=1 python -m models.results                          the digits
OMP_NUM_THREADS=1 python -m models.results --task cifar10 --data FILE.npz
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import fill

import click
import numpy as np

from models.methods import METHODS
from models.methods.orderings import compared
from models.runs import Cell, Kept, real_cell, run, start
from models.tasks import TASKS, Task
from models.train import cifar_file

_OUT = Path(__file__).parent / "RESULTS.md"


def cells(task: Task, seeds: int, names: list[str], kept: Kept) -> dict[str, list[Cell]]:
    """The runs of the methods, those that are kept already as they are."""
    found = kept.cells(task.name)
    for seed in range(seeds):
        missing = [name for name in ("float", *names) if (name, seed) not in found]
        given = start(task, seed, kept) if missing else None
        for name in missing:
            assert given is not None
            cell = real_cell(given) if name == "float" else run(name, METHODS[name], given)
            found[name, seed] = cell
            kept.add(cell)
            click.echo(f"{name}, seed {seed}: {100 * cell.fake:.1f}, integer {100 * cell.integer:.1f}")
    return {name: [found[name, seed] for seed in range(seeds)] for name in ("float", *names)}


def row(name: str, runs: list[Cell]) -> str:
    """Mean, range, mean on the integer path, and mean of the seconds."""
    fake, integer = [100 * cell.fake for cell in runs], [100 * cell.integer for cell in runs]
    parts = [name, "; ".join(dict.fromkeys(cell.bits for cell in runs))]
    parts += [f"{np.mean(fake):.1f}", f"{min(fake):.1f} - {max(fake):.1f}"]
    measured = ["", ""] if name == "float" else [f"{np.mean(integer):.1f}", f"{np.mean([c.seconds for c in runs]):.1f}"]
    return f"| {' | '.join([*parts, *measured])} |"


def section(task: Task, seeds: int, found: dict[str, list[Cell]]) -> str:
    """The part of RESULTS.md that belongs to a task."""
    option = "" if task.name == "digits" else f" --task {task.name} --data FILE.npz"
    about = (
        f"Written by `OMP_NUM_THREADS=1 python -m models.results{option} --seeds {seeds}`. Task: {task.about} "
        "with Adam, 3e-3 falling to 0 by a cosine. The first and the last layer, and what no rule is named for, have 8 "
        "bits. Bits are those of weights / activations. Accuracy in percent, mean and range of the seeds: of the float "
        "path for the float model, else of the fake path; `integer` is the mean on the integer path, profile `litert`; "
        "seconds are those of a processor."
    )
    lines = [f"# {task.title}", "", fill(about, 120), ""]
    lines += ["| method | bits | accuracy | lowest - highest | integer | seconds a run |", "|---|---|---|---|---|---|"]
    lines += [row(name, runs) for name, runs in found.items()]
    accuracies = {name: [100 * cell.fake for cell in runs] for name, runs in found.items()}
    return "\n".join([*lines, *compared(accuracies, task.name)]) + "\n"


def replaced(text: str, new: str) -> str:
    """A text with the section of the same title exchanged, or a new one at its end."""
    parts = [part for part in re.split(r"^(?=# )", text, flags=re.MULTILINE) if part.strip()]
    titles = [part.splitlines()[0] for part in parts]
    place = titles.index(new.splitlines()[0]) if new.splitlines()[0] in titles else len(parts)
    parts[place : place + 1] = [new]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


@click.command()
@click.option("--task", type=click.Choice(list(TASKS)), default="digits", show_default=True)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="CIFAR-10 as .npz, for task cifar10.")
@click.option("--seeds", type=int, default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(METHODS)), help="Print these rows, write nothing.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder of finished runs; a table goes on from there.")
def main(task: str, data: Path | None, seeds: int, only: tuple[str, ...], keep: Path | None) -> None:
    """Train every method of a task and write its table."""
    chosen = TASKS[task](data or cifar_file())
    found = cells(chosen, seeds, list(only or chosen.methods), Kept(keep))
    text = section(chosen, seeds, found)
    if only:
        click.echo(text)
    else:
        old = _OUT.read_text(encoding="utf-8") if _OUT.exists() else ""
        _OUT.write_text(replaced(old, text), encoding="utf-8")


if __name__ == "__main__":
    main()
