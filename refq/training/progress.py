"""Progress of a run: a line an epoch where somebody watches, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Report(Protocol):
    """Called after every step with the steps that are behind and the loss."""

    def __call__(self, step: int, loss: float) -> None: ...


@contextmanager
def progress(total: int, label: str, start: int = 0) -> Iterator[Report]:
    """A bar on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step, loss: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, completed=start)

        def report(step: int, loss: float) -> None:
            bar.update(task, completed=step, description=f"{label} loss {loss:.4f}")

        yield report
