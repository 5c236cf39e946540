"""I-BERT's functions against Python integers and against the real functions."""

from math import erf, isqrt, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics.ibert import i_erf, i_exp, i_gelu, i_layernorm, i_softmax, i_sqrt, variance_shift
from tests.naive import integer_functions as naive

scales = st.floats(1e-4, 0.5)
codes = st.lists(st.integers(-(2**21), 2**21), min_size=1, max_size=12)


@given(q=codes, scale=st.floats(1e-6, 0.5))
def test_erf_equals_its_twin_on_python_integers(q, scale):
    y, y_scale = i_erf(q, scale)
    assert y.tolist() == [naive.erf_codes(v, scale) for v in q]
    assert y_scale == -0.2888 * scale**2


@given(q=codes, scale=st.floats(2e-5, 0.5))
def test_gelu_equals_its_twin_on_python_integers(q, scale):
    y, y_scale = i_gelu(q, scale)
    assert y.tolist() == [naive.gelu_codes(v, scale) for v in q]
    assert y_scale == naive.gelu_scale(scale)


@given(q=codes, scale=scales)
def test_exponential_equals_its_twin_on_python_integers(q, scale):
    below = [-abs(v) for v in q]
    y, y_scale = i_exp(below, scale)
    assert y.tolist() == [naive.exp_codes(v, scale) for v in below]
    assert y_scale == 0.35815147 * scale**2 / 2**30


@given(q=codes, scale=scales, bits=st.sampled_from([4, 8, 16]))
def test_softmax_equals_its_twin_on_python_integers(q, scale, bits):
    y, y_scale = i_softmax(q, scale, bits)
    assert y.tolist() == naive.softmax_codes(q, scale, bits)
    assert y_scale == 2.0**-bits


@given(q=codes, scale=scales, epsilon=st.sampled_from([0.0, 1e-12, 1e-3]))
def test_normalization_equals_its_twin_on_python_integers(q, scale, epsilon):
    shift = max(0, variance_shift(22, len(q), scale, epsilon))
    y, y_scale = i_layernorm(q, scale, shift=shift, epsilon=epsilon)
    assert y.tolist() == naive.layernorm_codes(q, scale, shift, epsilon)
    assert y_scale == sqrt(len(q)) / 2**30


@given(st.lists(st.integers(0, 2**62 - 1), max_size=20), st.integers(0, 2**31 - 1))
def test_square_root_is_the_exact_floor(values, root):
    values = [*values, root * root, root * root + 1, max(root * root - 1, 0), 2**62 - 1, 0, 1]
    assert i_sqrt(values).tolist() == [isqrt(v) for v in values]


@given(st.integers(1, 32), st.integers(2, 3000), scales)
def test_the_widest_row_of_a_format_fits_the_sum_of_squares_and_uses_it(bits, size, scale):
    shift = variance_shift(bits, size, scale)
    row = np.full(size, -(1 << (bits - 1)), np.int64)
    row[: size // 2] = (1 << (bits - 1)) - 1
    i_layernorm(row << max(-shift, 0), scale, shift=max(shift, 0))
    assert size * 4.0 ** (bits - 1) / 4.0 ** (shift - 1) >= 2**31


def test_a_row_that_overflows_the_sum_of_squares_is_refused():
    with pytest.raises(RangeError, match=r"does not fit 32 bits; raise shift=0"):
        i_layernorm(np.array([-(2**21), 2**21]), 1e-3)


@pytest.mark.parametrize("function", [i_softmax, lambda q, scale: i_layernorm(q, scale, shift=6)])
def test_a_row_depends_on_no_other_row(function):
    rows = np.random.default_rng(0).integers(-3000, 3000, (20, 16))
    rows[7] *= 40
    together, _ = function(rows, 1e-3)
    for row, want in zip(rows, together, strict=True):
        np.testing.assert_array_equal(function(row, 1e-3)[0], want)


@pytest.mark.parametrize("value", [0, 5, -(2**31)])
def test_a_constant_row_normalizes_to_zero(value):
    y, _ = i_layernorm(np.full((2, 7), value), 0.01, shift=20)
    assert not y.any()


def test_scales_without_an_exact_int64_result_are_refused():
    with pytest.raises(RangeError, match=r"i_exp: scale=1e-06 is finer than 1.8e-05; shift the codes right first"):
        i_exp(np.array([-1]), 1e-6)
    with pytest.raises(RangeError, match=r"i_exp: scale=2.0 is above 1.7, too coarse; shift the codes left first"):
        i_exp(np.array([-1]), 2.0)
    with pytest.raises(RangeError, match=r"i_erf: scale=1e-10 is finer"):
        i_erf(np.array([1]), 1e-10)
    with pytest.raises(RangeError, match=r"i_gelu: codes up to 2147483648 of scale=3.7e-09 leave int64"):
        i_gelu(np.array([-(2**31), 1]), 3.7e-9)
    with pytest.raises(RangeError, match=r"i_sqrt: n=-1..4 leaves 0..2\*\*62 - 1"):
        i_sqrt([4, -1])


def test_polynomials_reach_the_accuracy_of_the_paper():
    x = np.linspace(-4, 4, 100001)
    scale = 2.0**-14
    q = np.rint(x / scale).astype(np.int64)
    y, y_scale = i_gelu(q, scale)
    exact = x / 2 * (1 + np.vectorize(erf)(x / sqrt(2)))
    assert np.abs(y * y_scale - exact).max() < 0.0184  # Kim et al. 2021, table 1: L-infinity 0.018
    below = -np.abs(q)
    y, y_scale = i_exp(below, scale)
    assert np.abs(y * y_scale - np.exp(below * scale)).max() < 1.9e-3 + 2 * scale  # section 3.5: 1.9e-3
