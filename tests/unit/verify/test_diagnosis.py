"""Every hypothesis, put into the hardware's place, is named as the cause."""

import numpy as np
import pytest

from refq.verify import Evidence, Golden, random_codes
from refq.verify.corners import corner_cases
from refq.verify.diagnosis import faults_of
from refq.verify.faults import CAUSES, Hypothesis
from tests.unit.verify.graphs import convolution


@pytest.fixture(scope="module")
def records():
    """Corner layers and a layer of random codes: what a diagnosis needs to tell causes apart."""
    found = [record for case in corner_cases() for record in Golden(case.graph).records(case.x)]
    graph = convolution(3)
    return [*found, *Golden(graph).records(random_codes(graph))]


def diagnosis_of(records, tensor, fault):
    evidence = Evidence()
    for record in records:
        expected = record.tensors[tensor].values
        faults = {(each.cause, each.detail): each for each in faults_of(record, tensor)}
        values = np.broadcast_to(faults[fault].values if fault in faults else expected, expected.shape)
        evidence.add(values, np.ones(expected.shape, bool), expected, faults.values())
    return evidence.diagnosis()


@pytest.mark.parametrize("tensor", ["y", "acc"])
def test_every_fault_is_explained_without_contradiction(tensor, records):
    """Faults that give the same values cannot be told apart; whatever is named must give all of them."""
    names = {(each.cause, each.detail) for record in records for each in faults_of(record, tensor)}
    assert len(names) > (150 if tensor == "y" else 80)
    evidence = {name: Evidence() for name in names}
    for record in records:
        expected = record.tensors[tensor].values
        known = np.ones(expected.shape, bool)
        faults = {(each.cause, each.detail): each for each in faults_of(record, tensor)}
        for name, weighed in evidence.items():
            values = np.broadcast_to(faults[name].values if name in faults else expected, expected.shape)
            weighed.add(values, known, expected, faults.values())
    named = 0
    for name, weighed in evidence.items():
        found = weighed.diagnosis()
        if weighed.differing:
            assert found.cause in CAUSES
            assert found.contradicted == 0, (name, found)
            named += found.cause == name[0]
    assert named >= 0.95 * sum(each.differing > 0 for each in evidence.values())


@pytest.mark.parametrize(
    "fault",
    [
        ("rounding", "two roundings, both half up"),
        ("rounding", "two roundings, both half away from zero"),
        ("rounding", "one rounding, half up, where double is right"),
        ("clamp", "wraps instead of saturating"),
        ("clamp", "both limits compared as unsigned numbers"),
        ("zero point", "output zero point left out"),
        ("zero point", "input zero point left out"),
        ("shift", "left shift left out"),
        ("shift", "shift of the channel before"),
        ("multiplier", "multiplier of channel 0 for every channel"),
        ("bias", "bias left out"),
        ("accumulator width", "accumulator of 31 bits that wraps"),
        ("sign extension", "weights read as unsigned numbers"),
        ("padding", "padding with code 0 instead of the zero point"),
        ("dropped terms", "last term dropped"),
        ("stale accumulator", "the sum before is not cleared"),
        ("operand order", "weights one term late"),
        ("timing", "one place late"),
        ("order of results", "channels in reverse order"),
    ],
)
def test_a_fault_is_named_in_words(fault, records):
    found = diagnosis_of(records, "y", fault)
    assert (found.cause, found.detail) == fault
    assert found.explained > 0
    assert "reproduces every value" in str(found)


def test_values_that_fit_nothing_are_not_explained(records):
    evidence = Evidence()
    for record in records:
        expected = record.tensors["y"].values.astype(np.int64)
        noise = np.random.default_rng(expected.size).integers(-128, 128, expected.shape)
        evidence.add(noise, np.ones(expected.shape, bool), expected, faults_of(record, "y"))
    assert str(evidence.diagnosis()) == "no known fault reproduces these values"


def test_unknown_values_among_few_wrong_ones_are_the_cause():
    evidence = Evidence()
    expected = np.arange(4)
    evidence.add(expected, np.array([True, False, False, True]), expected, [])
    assert evidence.diagnosis().cause == "unknown value"
    evidence.add(expected + 9, np.ones(4, bool), expected, [Hypothesis(cause="bias", detail="9", values=expected + 9)])
    assert evidence.diagnosis().cause == "bias"


def test_a_fault_that_one_layer_contradicts_loses_to_one_that_fits_all():
    expected, known = np.arange(6), np.ones(6, bool)
    both = [
        Hypothesis(cause="bias", detail="one more", values=expected + 1),
        Hypothesis(cause="shift", detail="doubled", values=2 * expected),
    ]
    evidence = Evidence()
    evidence.add(np.array([2]), np.ones(1, bool), np.array([1]), [each_at(both[0], 1), each_at(both[1], 1)])
    evidence.add(2 * expected, known, expected, both)
    assert evidence.diagnosis().cause == "shift"


def each_at(fault, index):
    return Hypothesis(cause=fault.cause, detail=fault.detail, values=fault.values[index : index + 1])
