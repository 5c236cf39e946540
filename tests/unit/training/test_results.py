"""The tables of models/RESULTS.md: sections, and runs that are kept."""

from dataclasses import replace

import pytest

from models import results
from models.methods import METHODS
from models.runs import Cell, Kept
from models.tasks import TASKS, digits_task


def short(epochs=1):
    return replace(digits_task(), real=lambda real: {"epochs": epochs, "batch_size": 256}, methods=())


def cell(method, seed, fake, integer, seconds=1.0):
    return Cell(task="digits", method=method, seed=seed, fake=fake, integer=integer, bits="2 / 2", seconds=seconds)


def test_a_section_is_exchanged_and_the_others_stay():
    text = "# One\n\nold\n\n## Part\n\n1\n\n# Two\n\nkept\n"
    assert results.replaced(text, "# One\n\nnew\n") == "# One\n\nnew\n\n# Two\n\nkept\n"
    assert results.replaced(text, "# Two\n\nnew\n") == "# One\n\nold\n\n## Part\n\n1\n\n# Two\n\nnew\n"
    assert results.replaced("# Two\n\nkept\n", "# Three\n\nnew\n") == "# Two\n\nkept\n\n# Three\n\nnew\n"
    assert results.replaced("", "# One\n\nnew\n") == "# One\n\nnew\n"


def test_a_row_has_mean_range_integer_accuracy_and_seconds():
    runs = [cell("LSQ", 0, 0.5, 0.51, 2.0), cell("LSQ", 1, 0.7, 0.69, 4.0)]
    assert results.row("LSQ", runs) == "| LSQ | 2 / 2 | 60.0 | 50.0 - 70.0 | 60.0 | 3.0 |"
    found = {"float": runs, "LSQ": [cell("LSQ", 0, 0.5, 0.5)], "PACT": [cell("PACT", 0, 0.4, 0.4)]}
    assert "| LSQ >= PACT | +10.0 | yes |" in results.section(short(), 1, found)


def test_runs_that_are_kept_are_not_run_again(tmp_path, monkeypatch):
    name, kept = "plain rounding, 8 bits", Kept(tmp_path / "runs")
    first = results.cells(short(), 1, [name], kept)
    assert set(first) == {"float", name}
    assert all(0 < found.fake <= 1 for runs in first.values() for found in runs)
    monkeypatch.setattr(results, "run", None)
    monkeypatch.setattr(results, "start", None)
    assert results.cells(short(), 1, [name], Kept(tmp_path / "runs")) == first
    with pytest.raises(TypeError):
        results.cells(short(), 2, [name], kept)


@pytest.mark.parametrize("name", TASKS)
def test_the_methods_of_a_task_exist_and_see_as_many_copies_as_it_says(name, tmp_path):
    task = TASKS[name](tmp_path / "images.npz")
    assert set(task.methods) <= set(METHODS)
    training, _ = digits_task().data(0)
    images, labels = replace(task, augment=task.augment).seen(training, 0)
    assert len(images) == len(labels) == task.copies * len(training[1])
    assert (labels[: len(training[1])] == training[1]).all()
    assert (images[: len(training[1])] == training[0]).all() == (task.augment is None)
