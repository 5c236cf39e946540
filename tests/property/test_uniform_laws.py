"""Laws of the uniform quantizer: Q quantize, D dequantize, S scale, z zero point, codes [qmin, qmax]."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import CalibrationError
from refq.quantizers import PerChannel, Scheme, Uniform, dequantize_array, fake_quantize, quantize_array

bits = st.integers(2, 8)
finite = st.floats(-1e6, 1e6, width=32)
grids = st.builds(
    lambda b, symmetric, low, high: Uniform(bits=b, symmetric=symmetric).qparams(min(low, high), max(low, high)),
    bits,
    st.booleans(),
    finite,
    finite,
)
arrays = st.lists(finite, min_size=1, max_size=20).map(lambda v: np.array(v, np.float32))


def codes_of(grid):
    return np.arange(grid.qmin, grid.qmax + 1).astype(grid.dtype)


@given(grid=grids)
def test_every_code_survives_the_round_trip(grid):
    np.testing.assert_array_equal(quantize_array(dequantize_array(codes_of(grid), grid), grid), codes_of(grid))


@given(grid=grids, x=arrays)
def test_fake_quantization_is_idempotent(grid, x):
    once = fake_quantize(x, grid)
    np.testing.assert_array_equal(fake_quantize(once, grid), once)


@given(grid=grids, x=arrays)
def test_codes_are_monotone_in_the_real(grid, x):
    codes = quantize_array(np.sort(x), grid).astype(int)
    assert np.all(np.diff(codes) >= 0)


@given(grid=grids, x=arrays)
def test_error_is_half_a_step_at_most_inside_the_range(grid, x):
    ends = dequantize_array(codes_of(grid)[[0, -1]], grid)
    inside = np.clip(x, *ends)
    error = np.abs(fake_quantize(inside, grid).astype(np.float64) - inside)
    assert np.all(error <= float(grid.scale) * (0.5 + 1e-4))


@given(grid=grids)
def test_zero_is_exact(grid):
    assert quantize_array(np.zeros(1, np.float32), grid)[0] == grid.zero_point
    assert fake_quantize(np.zeros(1, np.float32), grid)[0] == 0


@given(x=arrays, scale_bits=bits)
def test_a_symmetric_narrow_grid_mirrors_at_zero(x, scale_bits):
    grid = Scheme(grid=Uniform(bits=scale_bits, symmetric=True, narrow=True)).fit(x)
    np.testing.assert_array_equal(quantize_array(-x, grid), -quantize_array(x, grid))


@given(grid=grids)
def test_infinities_take_the_outermost_codes_and_nan_the_zero_point(grid):
    codes = quantize_array(np.array([-np.inf, np.inf, np.nan], np.float32), grid)
    assert codes.tolist() == [grid.qmin, grid.qmax, int(grid.zero_point)]


@given(seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 2))
def test_per_channel_equals_per_tensor_on_each_channel(seed, axis):
    x = np.random.default_rng(seed).normal(size=(3, 4, 2)).astype(np.float32)
    grid = Scheme(grid=Uniform(symmetric=True), granularity=PerChannel(axis)).fit(x)
    codes = quantize_array(x, grid)
    for channel in range(x.shape[axis]):
        part = np.take(x, channel, axis)
        alone = Scheme(grid=Uniform(symmetric=True)).fit(part)
        np.testing.assert_array_equal(np.take(codes, channel, axis), quantize_array(part, alone))


@pytest.mark.parametrize("values", [[0.0], [1e-45, 0.0], [3.4e38, -3.4e38], [5.0, 5.0]])
def test_degenerate_data_gives_a_usable_scale(values):
    for symmetric in (False, True):
        grid = Scheme(grid=Uniform(symmetric=symmetric)).fit(np.array(values, np.float32))
        assert np.isfinite(grid.scale)
        assert grid.scale > 0


@pytest.mark.parametrize(("values", "text"), [([], "no values"), ([1.0, np.nan], "NaN"), ([np.inf], "infinities")])
def test_unusable_data_is_refused(values, text):
    with pytest.raises(CalibrationError, match=text):
        Scheme().fit(np.array(values, np.float32))
