"""Every law is seen to fail on a subject that breaks it, and says which law, for what input, what should have come."""

import pytest
from hypothesis import given, settings

from refq.errors import UnsupportedError
from refq.numerics import requantize
from refq.testing import (
    LawBroken,
    laws_for,
    requantizer,
    strategies,
)
from refq.testing.registry import all_rules
from tests.property.broken_subjects import BROKEN, rule


@pytest.mark.parametrize(("name", "subject"), BROKEN, ids=[f"{i}-{name}" for i, (name, _) in enumerate(BROKEN)])
def test_a_broken_subject_breaks_its_law(name, subject):
    law = next(law for law in laws_for(subject) if law.name == name)
    with pytest.raises(LawBroken) as caught:
        law.check(30)
    text = str(caught.value)
    assert text.startswith(f"law {law.number} {name!r} does not hold for ")
    assert "\n  statement: " in text
    assert "\n  input " in text
    assert "\n  expected: " in text
    assert "\n  got: " in text


def test_every_law_has_been_seen_to_fail():
    seen = {(type(subject), name) for name, subject in BROKEN}
    assert {(rule.kind, rule.name) for rule in all_rules()} == seen


def test_all_25_invariants_are_laws():
    assert {rule.number for rule in all_rules()} == set(range(1, 26))


def test_a_report_names_the_smallest_tie():
    law = next(law for law in laws_for(rule("single_away", rounds="single")) if law.name == "tie table")
    with pytest.raises(LawBroken) as caught:
        law.check(0)
    assert (caught.value.inputs["acc"], caught.value.expected, caught.value.got) == (-3, -2, -1)
    assert "input acc = -3\n" in str(caught.value)


def test_things_without_laws_are_refused():
    with pytest.raises(UnsupportedError, match="there are no laws about dict"):
        laws_for({})


def test_drawn_counterexamples_shrink_to_one_element():
    @settings(max_examples=300, database=None)
    @given(strategies.code_tensors(-128, 127, (6,)))
    def never_high(x):
        assert (x < 100).all(), sorted(x.tolist(), key=abs)

    with pytest.raises(AssertionError) as caught:
        never_high()
    assert str(caught.value).splitlines()[0] == "[0, 0, 0, 0, 0, 100]"


def test_requantizers_of_the_package_are_subjects():
    assert requantizer(requantize.int64).shifts == (-31, 7)
