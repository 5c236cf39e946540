"""The table of methods is what the code says, and nothing in it is untested."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.ranges import RANGES
from refq.testing import laws_for
from tests.survey.methods import methods
from tests.survey.table import page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "refq" / "quantizers" / "README.md"
NUMBER = re.compile(r"-?\d+\.\d+")


@cache
def functions(place):
    """Names of the functions of a file below tests/."""
    tree = ast.parse((ROOT / "tests" / place).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_table_is_the_one_printed():
    stored, printed = PAGE.read_text(encoding="utf-8").splitlines(), page().splitlines()
    assert len(stored) == len(printed)
    for ours, theirs in zip(printed, stored, strict=True):
        if not ours.startswith("| I"):
            assert ours == theirs
            continue
        *texts, number = ours.split(" | ")
        *held, kept = theirs.split(" | ")
        assert texts == held
        assert NUMBER.sub("", number) == NUMBER.sub("", kept)
        for now, then in zip(NUMBER.findall(number), NUMBER.findall(kept), strict=True):  # k-means differs by machine
            assert float(now) == pytest.approx(float(then), abs=0.11)


@pytest.mark.parametrize("entry", methods(), ids=lambda entry: entry.method)
def test_every_row_obeys_its_laws_and_names_tests_there_are(entry):
    import_module(entry.module)
    assert entry.tests
    for place, name in (test.split("::") for test in entry.tests):
        assert name in functions(place), f"tests/{place} has no {name}"
    laws = [law for subject in entry.subjects() for law in laws_for(subject)]
    assert laws
    for law in laws:
        law.check(1)


def test_every_quantizer_and_every_range_has_a_row():
    modules = {entry.module for entry in methods()}
    assert {method.kind.__module__ for method in quantizer_methods()} <= modules
    assert {kind.__module__ for kind in RANGES.values()} <= modules
    sections = [entry.section for entry in methods()]
    assert sorted(set(sections)) == ["III-B", "III-C", "III-D", "III-E", "III-F", "III-H", "IV-E", "IV-F"]
