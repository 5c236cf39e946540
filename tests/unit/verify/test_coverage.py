"""Coverage: bins are counted from definitions, corner layers reach them all, and too little fails."""

import numpy as np
import pytest

from refq.verify import Golden, corner_cases, coverage, random_codes
from refq.verify.coverage import BINS, CoverageError
from tests.unit.verify.graphs import convolution


def corner_coverage(profile):
    cases = corner_cases(4, 4, power_of_two_scales=profile == "pow2")
    records = (record for case in cases for record in Golden(case.graph, profile).records(case.x))
    return coverage(records, 4, 4)


@pytest.mark.parametrize("profile", ["litert", "cmsis-nn", "dyadic", "xnnpack", "onnx", "pow2"])
def test_corner_layers_reach_every_bin(profile):
    reached = corner_coverage(profile)
    assert reached.missed == ()
    reached.require(1.0)


def test_bins_that_a_rule_cannot_reach_are_left_out():
    assert set(corner_coverage("litert").counts) == set(BINS)
    assert "second_tie_negative" not in corner_coverage("dyadic").counts
    assert "shift_left" not in corner_coverage("onnx").counts
    graph = convolution()
    assert "ragged_rows" not in coverage(Golden(graph).records(random_codes(graph))).counts


def test_bins_are_counted_by_hand():
    graph = convolution()
    (record,) = Golden(graph).records(random_codes(graph))
    counts = coverage([record], 3, 5).counts
    placed, acc = record.tensors["placed"].values, record.tensors["acc"].values
    assert counts["clamped_high"] == sum(int(v) > 127 for v in placed.reshape(-1))
    assert counts["exactly_low"] == sum(int(v) == -128 for v in placed.reshape(-1))
    assert counts["accumulator_beyond_16_bits"] == sum(not -(1 << 15) <= int(v) < 1 << 15 for v in acc.reshape(-1))
    assert counts["ragged_rows"] == 1  # 16 pixels on 3 rows
    assert counts["ragged_columns"] == 0  # 5 channels on 5 columns
    assert counts["padding"] == 1
    assert counts["x_zero_lowest"] == 0
    product, m = record.tensors["left_shifted"].values, record.tensors["multiplier"].values.astype(object)
    ties = (product.astype(object) * m) % (1 << 31) == 1 << 30
    assert counts["tie_positive"] + counts["tie_negative"] == np.count_nonzero(ties & (acc != 0))


def test_too_little_fails_and_names_what_is_missing():
    graph = convolution()
    reached = coverage(Golden(graph).records(random_codes(graph)))
    assert 0 < reached.level < 1
    with pytest.raises(CoverageError, match=r"below 100%; not reached: .*second_tie"):
        reached.require()
    reached.require(reached.level)
    assert f"coverage {reached.level:.0%}" in str(reached)
    assert coverage([]).level == 0
