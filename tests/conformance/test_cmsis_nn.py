"""Every CMSIS-NN vector of the golden folder, 0 differing elements; a case that is not understood fails."""

from collections import Counter

import numpy as np
import pytest

from tests.conformance.cmsis_cases import Case, NotUnderstoodError, cases_root, load_case, manifest_cases
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


def crafted(op, attrs, arrays, used_by=("arm_crafted_s8",)) -> Case:
    return Case("crafted", op, list(used_by), dict(attrs), dict(arrays))


DENSE = {
    "accumulation_depth": 3,
    "out_ch": 2,
    "input_batches": 1,
    "input_offset": 4,
    "output_offset": -1,
    "out_activation_min": -128,
    "out_activation_max": 127,
}
DENSE_ARRAYS = {
    "input": np.array([10, -4, 6], np.int8),
    "weights": np.array([1, 2, 3, -1, 0, 5], np.int8),
    "output_multiplier": np.array([1 << 30, 1 << 30]),
    "output_shift": np.array([0, 1]),
}


def test_dense_with_a_multiplier_a_channel_a_weight_zero_point_and_a_bias_of_another_name():
    """Sums (14, 0, 10) @ (w - 2) + b = (-4, 7), times 1/2 and 1, then - 1. SRDHM rounds -2.0 and 7.0 to themselves."""
    case = crafted("fully_connected", {**DENSE, "filter_offset": -2}, {**DENSE_ARRAYS, "bias": np.array([0, 19])})
    assert OPERATORS["fully_connected"](case).tolist() == [[-3, 6]]
    assert case.unread() == []


def test_int4_weights_are_unpacked_low_nibble_first():
    arrays = {**DENSE_ARRAYS, "weights": np.array([0x21, 0xF3, 0x50], np.uint8).view(np.int8)}
    plain = OPERATORS["fully_connected"](crafted("fully_connected", DENSE, DENSE_ARRAYS))
    packed = crafted("fully_connected", DENSE, arrays, used_by=["arm_fully_connected_s4"])
    assert OPERATORS["fully_connected"](packed).tolist() == plain.tolist()


@pytest.mark.parametrize("axis", ["attrs", "arrays"])
def test_what_nobody_read_is_reported(axis):
    extra = {"block_width": 7} if axis == "attrs" else {"block_width": np.zeros(1)}
    attrs, arrays = (DENSE | extra, DENSE_ARRAYS) if axis == "attrs" else (DENSE, DENSE_ARRAYS | extra)
    case = crafted("fully_connected", attrs, arrays)
    OPERATORS["fully_connected"](case)
    assert case.unread() == ["block_width"]


@pytest.mark.parametrize("missing", ["weights", "input", "output_shift"])
def test_a_missing_array_is_not_understood(missing):
    arrays = {name: array for name, array in DENSE_ARRAYS.items() if name != missing}
    with pytest.raises(NotUnderstoodError, match=missing):
        OPERATORS["fully_connected"](crafted("fully_connected", DENSE, arrays))


def test_a_multiplier_that_is_not_normalised_is_not_understood():
    arrays = DENSE_ARRAYS | {"output_multiplier": np.array([1 << 29, 1 << 30])}
    with pytest.raises(NotUnderstoodError, match="not normalised"):
        OPERATORS["fully_connected"](crafted("fully_connected", DENSE, arrays))


def test_batched_product_of_int8_takes_the_double_requantizer():
    """(3 + 1)(-1 - 2) = -12; times 1/8 that is -1.5, which RDbP rounds away from zero and the int64 rule would not."""
    sizes = {f"{side}_{axis}": 1 for side in ("lhs", "rhs") for axis in ("batch", "height", "rows", "cols")}
    attrs = {
        **sizes,
        "adj_x": 0,
        "adj_y": 1,
        "lhs_offset": 1,
        "rhs_offset": -2,
        "output_offset": 0,
        "activation_min": -128,
        "activation_max": 127,
        "output_multiplier": 1 << 30,
        "output_shift": -2,
    }
    arrays = {"lhs_input_tensor": np.array([3], np.int8), "rhs_input_tensor": np.array([-1], np.int8)}
    assert OPERATORS["batch_matmul"](crafted("batch_matmul", attrs, arrays)).ravel().tolist() == [-2]
