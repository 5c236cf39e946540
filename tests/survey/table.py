"""The table of methods in refq/quantizers/README.md: python -m tests.survey.table > refq/quantizers/README.md"""

from __future__ import annotations

from collections.abc import Iterable

from refq.testing import laws_for
from refq.testing.registry import all_rules
from tests.survey.entries import Entry
from tests.survey.methods import methods

HEAD = """\
# Quantizers

Every method of Gholami et al. 2021, "A Survey of Quantization Methods for Efficient Neural Network Inference",
sections III-B to III-F, III-H, IV-E (representations) and IV-F: where it is, which laws of `refq.testing` are tried on
it, which further tests it has, and one number. `refq quantizers` prints formulas and sources; how to compose grid,
granularity, range and rounding: `help(refq.quantizers.Scheme)`.

Numbers are signal-to-noise ratios of 64 filters of 144 Gaussian weights, seed 0, whose standard deviations rise from
0.5 to 2 (activations: the same after ReLU), at one scale for the tensor where nothing else is said; methods compare
only at equal bits. Tests stand below `tests/`. This page is printed by `python -m tests.survey.table`, and
`tests/survey/test_table.py` compares it and runs the laws of every row.

| section | method | module | laws | tests | measured |
|---|---|---|---|---|---|
"""


def numbers(found: Iterable[int]) -> str:
    """Runs of neighbours joined.

    >>> numbers([1, 2, 3, 5, 8, 9])
    '1-3, 5, 8-9'
    """
    runs: list[list[int]] = []
    for n in sorted(set(found)):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def cells(entry: Entry) -> tuple[str, ...]:
    """What a row says."""
    laws = numbers(law.number for subject in entry.subjects() for law in laws_for(subject))
    tests = "; ".join(f"`{place}` {name.replace('_', ' ')}" for place, name in (t.split("::") for t in entry.tests))
    return entry.section, entry.method, f"`{entry.module}`", laws, tests, str(entry.measure())


def page() -> str:
    """The whole text."""
    rows = "".join(f"| {' | '.join(cells(entry))} |\n" for entry in methods())
    kinds: dict[int, list[str]] = {}
    for rule in all_rules():
        if rule.name not in kinds.setdefault(rule.number, []):
            kinds[rule.number].append(rule.name)
    laws = "".join(f"{number}. {', '.join(names)}\n" for number, names in kinds.items())
    return f"{HEAD}{rows}\nThe laws by number (`refq.testing.laws`; rows name those that apply to them):\n\n{laws}"


if __name__ == "__main__":
    print(page(), end="")
