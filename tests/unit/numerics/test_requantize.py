from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics import (
    double,
    dyadic,
    float32_half_even,
    int64,
    pow2,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
    single,
    single_away,
)
from tests.naive import fixed_point as naive

int32 = st.integers(-(2**31), 2**31 - 1)
corner = st.sampled_from([-(2**31), -(2**31) + 1, -3, -2, -1, 0, 1, 2, 3, 2**30, 2**31 - 1])
factors = st.one_of(st.floats(2.0**-20, 0.999), st.integers(-20, -1).map(lambda k: 2.0**k))
RULES = {"double": double, "single": single, "single_away": single_away, "int64": int64, "dyadic": dyadic}


@given(a=int32 | corner, b=int32 | corner)
def test_doubling_high_multiply_equals_the_published_nudge_and_truncation(a, b):
    assert int(saturating_rounding_doubling_high_multiply(a, b)) == naive.srdhm(a, b)


@given(x=int32 | corner, exponent=st.integers(0, 31))
def test_rounding_divide_equals_the_published_text(x, exponent):
    assert int(rounding_divide_by_power_of_two(x, exponent)) == naive.rdbypot(x, exponent)


@pytest.mark.parametrize("name", RULES)
@given(acc=st.integers(-(2**27), 2**27), real=factors)
def test_requantizers_equal_big_integer_formulas(name, acc, real):
    assert int(RULES[name](acc, real)) == naive.RULES[name](acc, real)


@pytest.mark.parametrize("name", ["double", "single", "single_away"])
@given(acc=st.integers(-(2**20), 2**20), real=st.floats(1.0, 200.0))
def test_requantizers_with_left_shifts_equal_big_integer_formulas(name, acc, real):
    assert int(RULES[name](acc, real)) == naive.RULES[name](acc, real)


@given(acc=st.integers(-(2**27), 2**27), real=factors)
def test_double_and_single_differ_by_one_at_most_for_right_shifts(acc, real):
    assert abs(int(double(acc, real)) - int(single(acc, real))) <= 1


# Codes at exact real values, as measured on one-element models of the reference kernels.
TIES = {
    "double": {0.5: [-1, 0, 1, 2], 0.25: [-1, 0, 1, 1]},
    "int64": {0.5: [-1, 0, 1, 2], 0.25: [0, 0, 0, 1]},
    "single_away": {0.5: [-2, -1, 1, 2], 0.25: [-1, 0, 0, 1]},
    "dyadic": {0.5: [-2, 0, 0, 2], 0.25: [0, 0, 0, 0]},  # torch.round
}


@pytest.mark.parametrize("name", TIES)
def test_ties_of_both_signs_fall_where_the_reference_kernels_put_them(name):
    assert RULES[name](np.array([-3, -1, 1, 3]), 0.5).tolist() == TIES[name][0.5]
    assert RULES[name](np.array([-2, -1, 1, 2]), 0.25).tolist() == TIES[name][0.25]


def test_float32_half_even_sends_ties_to_even():
    assert float32_half_even(np.array([-3, -1, 1, 3]), 0.5).tolist() == [-2, 0, 0, 2]


def test_published_single_value_facts():
    real = 1583594044 * 2.0 ** (-9 - 31)
    assert (int(double(7984, real)), int(single(7984, real))) == (12, 11)
    real = 1527099593 * 2.0 ** (-6 - 31)
    assert (int(double(585, real)), int(single(585, real))) == (7, 7)


@given(real=st.floats(2.0**-31, 2.0**20))
def test_multiplier_is_normal_and_close(real):
    m, s = (int(v) for v in quantize_multiplier(real))
    assert 2**30 <= m < 2**31
    assert abs(Fraction(m) * Fraction(2) ** (s - 31) / Fraction(real) - 1) <= Fraction(1, 2**31)


@given(k=st.integers(-31, 30))
def test_powers_of_two_have_the_smallest_mantissa(k):
    assert [int(v) for v in quantize_multiplier(2.0**k)] == [2**30, k + 1]


def test_a_mantissa_that_rounds_up_to_one_is_renormalised():
    assert [int(v) for v in quantize_multiplier(1 - 2.0**-40)] == [2**30, 1]


def test_vanishing_negative_and_infinite_factors():
    assert [int(v) for v in quantize_multiplier(2.0**-33)] == [0, 0]
    for bad in (-0.5, np.inf, np.nan):
        with pytest.raises(RangeError, match="must be finite and not negative"):
            quantize_multiplier(bad)


def test_shift_only_requantizer_takes_powers_of_two_and_nothing_else():
    assert pow2(np.array([-3, -1, 1, 3]), 0.5).tolist() == [-1, 0, 1, 2]
    assert pow2(np.array([3]), 4.0).tolist() == [12]
    with pytest.raises(RangeError, match="is not a power of two"):
        pow2(1, 0.3)
