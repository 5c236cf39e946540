from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics.fixed_point import (
    rescale_fixed_point,
    rounding_divide_by_power_of_two,
    rounding_half_sum,
    saturating_rounding_doubling_high_multiply,
    saturating_rounding_multiply_by_power_of_two,
)
from refq.numerics.logarithm import least_log_integer_bits, log
from refq.numerics.logistic import logistic, tanh
from refq.numerics.reciprocal import one_minus_x_over_one_plus_x, one_over_one_plus_x, reciprocal
from refq.numerics.square_root import integer_square_root, inverse_square_root_multiplier
from tests.unit.numerics.published_inputs import EXHAUSTIVE_SLACK, VALUES, real

WIDTHS = [32, 16]
# Tolerances in raw units of the result, as gemmlowp's own test sets them: {bits: error}.
LOGISTIC, TANH, ONE_OVER, ONE_MINUS = {32: 155, 16: 6}, {32: 310, 16: 12}, {32: 6, 16: 5}, {32: 12, 16: 11}


def nearest(value):
    """Half away from zero, on float64 values that are exact."""
    return np.sign(value) * np.floor(np.abs(value) + 0.5)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("integer_bits", range(7))
def test_logistic_and_tanh_are_within_the_published_tolerances(bits, integer_bits):
    a, one = VALUES[bits], 2.0 ** (bits - 1)
    x = real(a, integer_bits, bits)
    slack = EXHAUSTIVE_SLACK[bits]
    assert np.abs(logistic(a, integer_bits, bits) - one / (1 + np.exp(-x))).max() <= LOGISTIC[bits] + slack
    assert np.abs(tanh(a, integer_bits, bits) - one * np.tanh(x)).max() <= TANH[bits] + slack


@pytest.mark.parametrize("bits", WIDTHS)
def test_logistic_and_tanh_are_symmetric_and_exact_at_zero(bits):
    a, one = VALUES[bits][VALUES[bits] > 0], 2 ** (bits - 1) - 1
    np.testing.assert_array_equal(logistic(a, 3, bits) + logistic(-a, 3, bits), np.full(len(a), one))
    np.testing.assert_array_equal(tanh(-a, 3, bits), -tanh(a, 3, bits))
    assert (int(logistic(0, 3, bits)), int(tanh(0, 3, bits))) == (2 ** (bits - 2), 0)


@pytest.mark.parametrize("bits", WIDTHS)
def test_quotients_are_within_the_published_tolerances(bits):
    a, one = VALUES[bits][VALUES[bits] > 0], 2.0 ** (bits - 1)
    x = real(a, 0, bits)
    slack = EXHAUSTIVE_SLACK[bits]
    assert np.abs(one_over_one_plus_x(a, bits) - one / (1 + x)).max() <= ONE_OVER[bits] + slack
    assert np.abs(one_minus_x_over_one_plus_x(a, bits) - one * (1 - x) / (1 + x)).max() <= ONE_MINUS[bits] + slack


@pytest.mark.parametrize("bits", WIDTHS)
def test_rounding_divide_and_saturating_multiply_by_every_power_of_two(bits):
    x, low, high = VALUES[bits], -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for k in range(bits):
        down = nearest(x / 2.0**k)
        np.testing.assert_array_equal(rounding_divide_by_power_of_two(x, k), down)
        np.testing.assert_array_equal(saturating_rounding_multiply_by_power_of_two(x, -k, bits), down)
        up = np.array([min(max(int(v) << k, low), high) for v in x])
        np.testing.assert_array_equal(saturating_rounding_multiply_by_power_of_two(x, k, bits), up)
    with pytest.raises(RangeError, match=f"exponent={bits} is outside"):
        saturating_rounding_multiply_by_power_of_two(1, bits, bits)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (2, 0), (4, 4), (4, 5), (6, 3), (13, 9)])
def test_rescale_keeps_the_real_number_to_the_nearest_step(a, b):
    x = VALUES[32]
    want = np.clip(nearest(x * 2.0 ** (a - b)), -(2**31), 2**31 - 1)
    np.testing.assert_array_equal(rescale_fixed_point(x, a, b), want)


def test_int16_products_round_half_up_and_saturate_for_every_pair_of_corners():
    corners = [-32768, -32767, -16385, -3, -1, 0, 1, 2, 3, 16384, 32766, 32767]
    for a in corners:
        for b in corners:
            want = min((a * b + 2**14) >> 15, 32767)
            assert int(saturating_rounding_doubling_high_multiply(a, b, 16)) == want


def test_half_sums_round_away_from_zero():
    assert rounding_half_sum([1, -1, 3, -4], [2, -2, -2, 3]).tolist() == [2, -2, 1, -1]


# LiteRT's log_quantized_test: tolerances, and its exemption of raw inputs up to 5.
@pytest.mark.parametrize(("integer_bits", "out_bits", "tolerance"), [(12, 5, 4), *((i, o, 8) for i, o in
    ((0, 1), (1, 1), (1, 6), (4, 2), (5, 4), (9, 3), (16, 4), (20, 4), (24, 5), (24, 9)))])  # fmt: skip
def test_logarithm_is_within_the_published_tolerances(integer_bits, out_bits, tolerance):
    rng = np.random.default_rng(integer_bits)
    uniform = rng.integers(2, 2**31, 20000)
    x = np.concatenate([uniform, np.maximum(uniform >> rng.integers(0, 30, uniform.size), 2), [2, 3, 2**31 - 1]])
    steps = 2.0 ** (31 - out_bits)
    want = np.clip(nearest(np.log(real(x, integer_bits, 32)) * steps), -(2**31), 2**31 - 1)
    allowed = tolerance if (integer_bits, out_bits) == (12, 5) else max(tolerance, 7e-7 * steps)
    allowed = np.where(x > 5, allowed, max(allowed, np.ceil(0.0224585 * steps)))
    assert np.all(np.abs(log(x, integer_bits, out_bits) - want) <= allowed)


def test_logarithm_refuses_what_it_cannot_give():
    with pytest.raises(RangeError, match="x=0 must be a positive"):
        log(0, 5, 5)
    with pytest.raises(RangeError, match=r"out_integer_bits=3 is outside 4\.\.30"):
        log(1, 12, 3)
    assert [least_log_integer_bits(k) for k in (2, 10, 11, 22)] == [2, 3, 4, 5]


@given(x=st.integers(1, 2**31 - 1), integer_bits=st.integers(0, 31))
def test_reciprocal_is_normalised_and_close(x, integer_bits):
    r, k = (int(v) for v in reciprocal(x, integer_bits))
    assert k == integer_bits - (32 - x.bit_length())
    exact = 2.0 ** (31 + k) / (x * 2.0 ** (integer_bits - 31))
    assert abs(r - exact) <= 6 + 2.0**-20


def test_reciprocal_refuses_zero():
    with pytest.raises(RangeError, match="x=0 must be a positive"):
        reciprocal(0, 3)


# LiteRT quantization_util_test, GetInvSqrtQuantizedMultiplierExp.
INVERSE_ROOTS = {
    0: (2147483647, 0), 1: (2147483647, 0), 2: (1518498372, 0), 3: (1239850284, 0), 4: (1073741828, 0),
    100: (214748363, 0), 10000: (343597361, 4), 1000000: (274877901, 7), 100000000: (219902323, 10),
    2**30: (268435457, 12), 2**31 - 1: (189812531, 12),
}  # fmt: skip


def test_inverse_square_root_equals_the_published_table():
    m, n = inverse_square_root_multiplier(list(INVERSE_ROOTS))
    assert list(zip(m.tolist(), n.tolist(), strict=True)) == list(INVERSE_ROOTS.values())


@given(x=st.integers(2, 2**31 - 1))
def test_inverse_square_root_is_close_for_every_integer(x):
    m, n = (int(v) for v in inverse_square_root_multiplier(x))
    assert 0 <= m < 2**31
    assert abs(m * 2.0 ** (-31 - n) * x**0.5 - 1) < 2e-6


def test_inverse_square_root_refuses_negative_integers():
    with pytest.raises(RangeError, match=r"x=-1 must be an integer in 0\.\.2147483647"):
        inverse_square_root_multiplier(-1)


roots = st.integers(0, 3037000499)
squares = st.one_of(
    st.integers(0, 2**63 - 1), roots.flatmap(lambda r: st.integers(-1, 1).map(lambda d: max(0, r * r + d)))
)


@given(x=squares)
def test_integer_square_root_is_the_exact_floor(x):
    assert int(integer_square_root(x)) == isqrt(x)


def test_integer_square_root_at_the_ends():
    for x in (0, 1, 2**63 - 1, 3037000499**2, 3037000499**2 - 1, 2**62, 2**62 - 1):
        assert int(integer_square_root(x)) == isqrt(x)
    with pytest.raises(RangeError, match="x=-4 is negative"):
        integer_square_root([3, -4])
