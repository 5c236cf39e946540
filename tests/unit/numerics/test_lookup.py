from math import floor

import numpy as np
import pytest

from refq.graph import QParams
from refq.numerics.elementary import cos, erfc, exp, expm1, log, sin, tanh
from refq.numerics.lookup import code_table, interpolate, interpolation_table

EVERY_INT16 = np.arange(-32768, 32768)


def half_away(v):
    return floor(abs(v) + 0.5) * (1 if v >= 0 else -1)


def naive_table(function, scale, zero_point, out_scale):
    """The 513 samples in Python floats: float64 throughout."""
    low, high = scale * (-32768 - zero_point), scale * (32767 - zero_point)
    step, per_unit = (high - low) / 512, 65536 / (out_scale * 65535)
    table = []
    for i in range(512):
        x = low + i * step
        here = half_away(function(x) * per_unit)
        between = half_away((function(low + (i + 1) * step) * per_unit + here) / 2)
        error = between - half_away(function(x + step / 2) * per_unit)
        table.append(here - half_away(error / 2))
    table.append(half_away(function(high) * per_unit))
    return [min(max(v, -32768), 32767) for v in table]


@pytest.mark.parametrize(("scale", "zero", "out"), [(10 / 65535, 32767, 2 / 65535), (3e-4, 0, 0.01), (1e-3, 5, 1e-5)])
def test_the_table_of_513_entries_equals_the_naive_twin(scale, zero, out):
    table = interpolation_table(np.tanh, np.float64(scale), zero, np.float64(out))
    assert table.tolist() == naive_table(lambda v: float(np.tanh(v)), scale, zero, out)


def test_interpolation_is_exact_on_a_line_and_close_on_a_curve():
    line = interpolation_table(lambda x: x / 2, np.float64(1.0), 0, np.float64(1.0))
    assert np.abs(interpolate(line, EVERY_INT16) - EVERY_INT16 / 2).max() <= 1
    curve = interpolation_table(np.exp, np.float64(10 / 65535), 32767, np.float64(2 / 65535))
    real = np.exp((EVERY_INT16 - 32767.0) * 10 / 65535) * 32768
    # One code is 10 / 65535 here and 10 / 65536 in the table: 5 at the steep end, and 2 for saturation and rounding.
    assert np.abs(interpolate(curve, EVERY_INT16) - real).max() < 7


def test_a_slope_beyond_int16_wraps():
    table = np.zeros(513, np.int64)
    table[256], table[257] = -30000, 30000
    slope = 60000 - 65536
    assert interpolate(table, [0, 64]).tolist() == [-30000, -30000 + ((slope * 64 + 64) >> 7)]


def test_infinite_neighbours_become_zero():
    table = interpolation_table(exp, np.float32(0.01), 0, np.float32(0.001))
    assert table[511] == 0
    assert table[512] == 32767


def test_a_table_of_codes_is_one_float32_formula_an_entry():
    grid, out = QParams(scale=0.1, zero_point=3), QParams(scale=0.01, zero_point=-20)
    table = code_table(np.tanh, grid, out)
    for code in range(-128, 128):
        real = np.float32(code - 3) * np.float32(0.1)
        steps = float(np.tanh(real) * (np.float32(1) / np.float32(0.01)))
        assert table[code + 128] == min(max(half_away(steps) - 20, -128), 127)


@pytest.mark.parametrize("function", [exp, expm1, log, tanh, erfc, sin, cos], ids=lambda f: f.__name__)
def test_float32_results_are_the_nearest_to_the_exact_ones(function):
    mpmath = pytest.importorskip("mpmath")
    x = np.random.default_rng(3).uniform(0.01, 4, 300).astype(np.float32)
    found = function(x)
    assert found.dtype == np.float32
    for value, y in zip(x, found, strict=True):
        with mpmath.workprec(120):
            exact = getattr(mpmath, function.__name__)(mpmath.mpf(float(value)))
            distance = abs(mpmath.mpf(float(y)) - exact)
            # The float64 result may lie on the wrong side of a tie by its own last bit, and erfc by 1e-14.
            slack = mpmath.mpf(1e-14)
            assert all(
                distance <= abs(mpmath.mpf(float(np.nextafter(y, np.float32(side)))) - exact) + slack
                for side in (-np.inf, np.inf)
            )
