import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics import double, int64, quantize_multiplier, single
from refq.numerics.multiplier import (
    calculate_input_radius,
    fixed_point_factors,
    preprocess_softmax_scaling,
    quantize_multiplier_greater_than_one,
    quantize_multiplier_single_rounding,
    quantize_multiplier_smaller_than_one,
)


def pair(found) -> tuple[int, int]:
    return int(found[0]), int(found[1])


# Rows of LiteRT's quantization_util_test.
@pytest.mark.parametrize(("real", "m", "s"), [
    (0.25, 1073741824, -1), (0.50 - 5e-9, 2147483627, -1), (0.50 - 1e-10, 1073741824, 0), (0.50, 1073741824, 0),
    (0.75, 1610612736, 0), (1 - 1e-9, 2147483646, 0),
])  # fmt: skip
def test_multipliers_below_one_equal_the_published_rows(real, m, s):
    assert pair(quantize_multiplier_smaller_than_one(real)) == (m, s)


@pytest.mark.parametrize("real", [-0.1, 0.0, 1 - 1e-15, 1 - 1e-17, 1.0])
def test_what_is_not_below_one_is_refused(real):
    with pytest.raises(RangeError, match="multiplier="):
        quantize_multiplier_smaller_than_one(real)


@pytest.mark.parametrize(("real", "m", "s"), [
    (1 + 1e-11, 1073741824, 1), (1.25, 1342177280, 1), (1.50, 1610612736, 1), (1.75, 1879048192, 1),
    (2 - 1e-9, 2147483647, 1), (2 - 1e-11, 1073741824, 2), (2, 1073741824, 2),
])  # fmt: skip
def test_multipliers_above_one_equal_the_published_rows(real, m, s):
    assert pair(quantize_multiplier_greater_than_one(real)) == (m, s)


def test_what_is_not_above_one_is_refused():
    with pytest.raises(RangeError, match="is not above 1"):
        quantize_multiplier_greater_than_one(1 + 1e-16)


@pytest.mark.parametrize(
    ("real", "m", "s"),
    [(2.0**-31, 1073741824, -30), (2.0**-32, 1073741824, -31), (0.99 * 2.0**-32, 0, 0), (2.0**-33, 0, 0), (0.0, 0, 0)],
)
def test_multipliers_underflow_to_zero_as_published(real, m, s):
    assert pair(quantize_multiplier(real)) == (m, s)


def test_an_array_of_powers_of_two_equals_the_published_rows():
    m, s = quantize_multiplier(np.array([0, 0.125, 0.25, 0.5, 1, 2, 4]))
    assert m.tolist() == [0] + [1073741824] * 6
    assert s.tolist() == [0, -2, -1, 0, 1, 2, 3]


def test_single_rounding_builds_saturate_shifts_beyond_thirty():
    assert pair(quantize_multiplier_single_rounding(2.0**29)) == (2**30, 30)
    assert pair(quantize_multiplier_single_rounding(2.0**30)) == (2**31 - 1, 30)
    assert pair(quantize_multiplier_single_rounding(1e15)) == (2**31 - 1, 30)
    assert pair(quantize_multiplier(2.0**30)) == (2**30, 31)


INT32_MAX = 2**31 - 1


@pytest.mark.parametrize("rule", [double, single])
@pytest.mark.parametrize(("x", "real", "y"), [
    (0, 0.1, 0), (1, 0, 0), (10000, 0.00097656, 10), (-10000, 0.00097656, -10),
    (-(2**31), 0.00001, -21475), (INT32_MAX, 0.00001, 21475),
])  # fmt: skip
def test_32_bit_products_equal_the_published_rows(rule, x, real, y):
    assert int(rule(x, real)) == y


@pytest.mark.parametrize(
    ("x", "real", "y"),
    [(10000, 0.00097656, -10), (-10000, 0.00097656, 10), (-(2**31), 1e-5, 21475), (INT32_MAX, 1e-5, -21475)],
)
def test_double_takes_negative_multipliers_as_published(x, real, y):
    m, s = quantize_multiplier(real)
    assert int(double.apply(np.array(x, np.int64), -m.astype(np.int64), s)) == y


@pytest.mark.parametrize("rule", [double, single])
def test_the_largest_product_is_nearest(rule):
    want = round(INT32_MAX * INT32_MAX / 2**34)
    for sign in (1, -1):
        y = rule.apply(np.array(sign * INT32_MAX, np.int64), np.array(INT32_MAX), np.array(-3))
        assert int(y) == sign * want


@pytest.mark.parametrize(("x", "real", "y"), [
    (0, 0.1, 0), (1, 0, 0), (10000, 0.00097656, 10), (-10000, 0.00097656, -10),
    (-(2**47), 0.00001, -1407385600), (2**47 - 1, 0.00001, 1407385600),
])  # fmt: skip
def test_64_bit_products_equal_the_published_rows(x, real, y):
    assert int(int64(x, real)) == y


def test_the_largest_64_bit_product_equals_the_published_one():
    m16, s = (INT32_MAX + 2**15) >> 16 if INT32_MAX < 0x7FFF0000 else 0x7FFF, -31
    for sign in (1, -1):
        y = int64.apply(np.array(sign * (2**47 - 1), np.int64), np.array(m16), np.array(s))
        assert int(y) == sign * 65534


@pytest.mark.parametrize(
    ("beta", "scale", "bits", "m", "s"),
    [(1, 16, 4, 2147483647, 31), (1, 8, 4, 1073741824, 31), (2, 16, 5, 2147483647, 31), (2, 8, 5, 1073741824, 31)],
)
def test_softmax_scaling_equals_the_published_rows(beta, scale, bits, m, s):
    assert preprocess_softmax_scaling(beta, scale, bits) == (m, s)


@pytest.mark.parametrize(
    ("beta", "scale", "bits", "m", "s"),
    [(1, 8, 4, 2147483646, 30), (1, 4, 4, 1073741824, 30), (2, 8, 5, 2147483646, 30), (2, 4, 5, 1073741824, 30)],
)
def test_softmax_scaling_of_single_rounding_builds_equals_the_published_rows(beta, scale, bits, m, s):
    assert preprocess_softmax_scaling(beta, scale, bits, single_rounding=True) == (m, s)


def test_input_radius_equals_the_published_rows():
    rows = {(4, 27): 15, (3, 27): 14, (3, 28): 7, (4, 2): 503316480}
    assert {key: calculate_input_radius(*key) for key in rows} == rows


@given(m=st.integers(2**30, 2**31 - 1), s=st.integers(-31, 30))
def test_legal_factors_pass_unchanged(m, s):
    assert pair(fixed_point_factors(m, s)) == (m, s)


def test_factors_out_of_range_are_refused_by_value():
    with pytest.raises(RangeError, match="multiplier=1000 is neither 0 nor in"):
        fixed_point_factors([2**30, 1000], 0)
    with pytest.raises(RangeError, match="multiplier=2147483648 is neither"):
        fixed_point_factors(2**31, 0)
    with pytest.raises(RangeError, match=r"shift=31 is outside -31\.\.30"):
        fixed_point_factors(2**30, [0, 31])
    with pytest.raises(RangeError, match=r"shift=8 is outside -31\.\.7"):
        fixed_point_factors(2**30, 8, shifts=(-31, 7))
    assert pair(fixed_point_factors(0, 0)) == (0, 0)
