import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.layers.softmax import integer_softmax
from refq.numerics.exponential import exp_between_minus_quarter_and_zero, exp_on_negative_values, one_over_one_plus_x

# Tolerances in raw units of the result, as gemmlowp's own test sets them.
powers = st.integers(0, 30).flatmap(lambda k: st.integers(-2, 2).map(lambda d: max(0, min(2**k + d, 2**31 - 1))))
raw = powers | st.integers(0, 2**31 - 1)


@given(a=raw.map(lambda v: -(v % 2**29) - 1))
def test_exp_on_the_quarter_interval(a):
    assert abs(int(exp_between_minus_quarter_and_zero(a)) - np.exp(a / 2**31) * 2**31) <= 500


@pytest.mark.parametrize("integer_bits", [0, 1, 3, 5])
@given(a=raw)
def test_exp_on_negative_values(integer_bits, a):
    exact = np.exp(-a / 2 ** (31 - integer_bits)) * 2**31
    assert abs(int(exp_on_negative_values(-a, integer_bits)) - exact) <= 500


@given(a=raw)
def test_reciprocal_of_one_plus_x(a):
    assert abs(int(one_over_one_plus_x(a)) - 2**31 / (1 + a / 2**31)) <= 6


def test_softmax_equals_the_published_vectors(shared):
    case = np.load(shared / "golden/cmsis_nn/softmax/softmax.npz")
    manifest = json.loads((shared / "golden/cmsis_nn/manifest.json").read_text())
    attrs = next(c["attrs"] for c in manifest["cases"] if c["file"] == "softmax/softmax.npz")
    x = case["input"].reshape(attrs["num_rows"], attrs["row_size"])
    y = integer_softmax(x, attrs["input_mult"], attrs["input_left_shift"], attrs["diff_min"])
    np.testing.assert_array_equal(y.ravel(), case["output_ref"])
