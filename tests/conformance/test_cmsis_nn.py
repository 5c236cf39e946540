"""Every CMSIS-NN vector of the golden folder, 0 differing elements; a case that is not understood fails."""

from collections import Counter

import numpy as np
import pytest

from tests.conformance.cmsis_cases import NotUnderstoodError, cases_root, load_case, manifest_cases
from tests.conformance.cmsis_operators import OPERATORS

ENTRIES = manifest_cases()
needs_vectors = pytest.mark.skipif(not ENTRIES, reason=f"no vectors at {cases_root()}; set REFQ_GOLDEN or REFQ_SHARED")


def differing(entry) -> tuple[int, int]:
    """(differing elements, elements) of a case."""
    case = load_case(entry)
    if case.op not in OPERATORS:
        raise NotUnderstoodError(f"{case.name!r}: operator {case.op!r} is unknown")
    expected = case["output_ref", "output"]
    found = OPERATORS[case.op](case)
    if case.unread():
        raise NotUnderstoodError(f"{case.op} {case.name!r}: {', '.join(case.unread())} not understood")
    assert found.dtype.kind in "iu"
    assert found.size == expected.size
    return int(np.count_nonzero(found.ravel() != expected)), expected.size


@needs_vectors
@pytest.mark.parametrize("entry", [pytest.param(e, id=f"{e['op']}-{e['name']}") for e in ENTRIES])
def test_no_element_differs_from_cmsis_nn(entry):
    wrong, elements = differing(entry)
    assert wrong == 0, f"{wrong} of {elements} elements differ"


@needs_vectors
def test_every_case_of_the_manifest_is_counted(capsys):
    cases, elements = Counter(e["op"] for e in ENTRIES), Counter()
    for entry in ENTRIES:
        output = next(name for name in ("output_ref", "output") if name in entry["arrays"])
        elements[entry["op"]] += entry["arrays"][output][1]
    with capsys.disabled():
        for op in sorted(cases):
            print(f"\n  {op:16s} {cases[op]:4d} cases {elements[op]:8d} elements", end="")
    assert set(cases) <= set(OPERATORS)
    assert sum(cases.values()) == len({(e["op"], e["name"]) for e in ENTRIES})
