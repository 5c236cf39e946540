import json

import numpy as np
import pytest

from refq.errors import RangeError
from refq.numerics.exponential import exp_between_minus_quarter_and_zero, exp_on_negative_values
from refq.numerics.softmax8 import integer_softmax
from tests.unit.numerics.published_inputs import EXHAUSTIVE_SLACK, VALUES, real

# Tolerances in raw units of the result, as gemmlowp's own test sets them: {bits: error}.
INTERVAL, NEGATIVE = {32: 500, 16: 1}, {32: 500, 16: 2}


@pytest.mark.parametrize("bits", [32, 16])
def test_exp_on_the_quarter_interval_is_within_the_published_tolerance(bits):
    a = VALUES[bits]
    a = a[(a >= -(1 << (bits - 3))) & (a < 0)]
    error = exp_between_minus_quarter_and_zero(a, bits) - np.rint(np.exp(real(a, 0, bits)) * 2.0 ** (bits - 1))
    assert np.abs(error).max() <= INTERVAL[bits] + EXHAUSTIVE_SLACK[bits]


@pytest.mark.parametrize(
    ("bits", "integer_bits"), [(bits, k) for bits in (32, 16) for k in (0, 1, 2, 3, 4, 5, 6, 9, 12)]
)
def test_exp_on_negative_values_is_within_the_published_tolerance(bits, integer_bits):
    a = VALUES[bits][VALUES[bits] <= 0]
    error = exp_on_negative_values(a, integer_bits, bits) - np.exp(real(a, integer_bits, bits)) * 2.0 ** (bits - 1)
    assert np.abs(error).max() <= NEGATIVE[bits]


def test_sixteen_bits_need_two_bits_of_fraction():
    with pytest.raises(RangeError, match=r"integer_bits=14 is outside 0\.\.13"):
        exp_on_negative_values(-1, 14, bits=16)


def test_softmax_equals_the_published_vectors(shared):
    case = np.load(shared / "golden/cmsis_nn/softmax/softmax.npz")
    manifest = json.loads((shared / "golden/cmsis_nn/manifest.json").read_text())
    attrs = next(c["attrs"] for c in manifest["cases"] if c["file"] == "softmax/softmax.npz")
    x = case["input"].reshape(attrs["num_rows"], attrs["row_size"])
    y = integer_softmax(x, attrs["input_mult"], attrs["input_left_shift"], attrs["diff_min"])
    np.testing.assert_array_equal(y.ravel(), case["output_ref"])
