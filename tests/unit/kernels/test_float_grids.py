"""Passes over reals on a grid: compiled, interpreted, and by codes and formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.graph import QParams
from refq.kernels import float_grids
from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array
from refq.quantizers.float_passes import pass_on_grid, step_slopes

GRIDS = st.builds(
    lambda bits, signed, scale, part: QParams(
        scale=scale,
        zero_point=int(part * ((1 << bits) - 1)) - (1 << (bits - 1) if signed else 0),
        bits=bits,
        signed=signed,
    ),
    bits=st.integers(2, 16),
    signed=st.booleans(),
    scale=st.floats(2.0**-20, 1024.0, width=32),
    part=st.floats(0, 1),
)


def spread(rng, grid):
    """Reals on and off the grid, ties, beyond its ends, and what is no number."""
    size = rng.choice([4096, 4099, 4104])
    steps = rng.integers(-(1 << grid.bits), 1 << grid.bits, size) + rng.choice([0, 0.5, 0.25, rng.random()], size)
    x = (steps * float(grid.scale)).astype(np.float32)
    x[:6] = np.nan, np.inf, -np.inf, 0.0, -0.0, np.float32(1e-45)
    return x


@given(seed=st.integers(0, 2**32 - 1), grid=GRIDS)
def test_rounding_in_one_pass_gives_the_bits_of_codes_and_back(seed, grid):
    x = spread(np.random.default_rng(seed), grid)
    expected = dequantize_array(quantize_array(x, grid), grid, np.float32)
    found = fake_quantize(x, grid)
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize("scale", [0.25, [0.25, 0.5, 1.0]])
def test_signs_times_a_scale_are_codes_of_one_bit_and_back(scale):
    grid = QParams(scale=scale, bits=1, axis=0 if isinstance(scale, list) else None)
    x = np.array([[-2.0, -0.0, 0.0], [0.1, -0.1, np.nan], [np.inf, -np.inf, 3.0]], np.float32)
    found = fake_quantize(x, grid)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, dequantize_array(quantize_array(x, grid), grid, np.float32))
    assert quantize_array(x, grid).tolist() == [[-1, 1, 1], [1, -1, 1], [1, -1, 1]]


@given(seed=st.integers(0, 2**32 - 1), grid=GRIDS)
def test_gradients_pass_where_the_grid_does_not_clip(seed, grid):
    """A large tensor takes the kernels, its pieces NumPy."""
    rng = np.random.default_rng(seed)
    x = np.nan_to_num(spread(rng, grid), posinf=1e30, neginf=-1e30)
    dy, y = rng.normal(size=x.shape).astype(np.float32), fake_quantize(x, grid)
    pieces = [(dy[i : i + 500], x[i : i + 500], y[i : i + 500]) for i in range(0, len(x), 500)]
    np.testing.assert_array_equal(
        pass_on_grid(dy, x, grid), np.concatenate([pass_on_grid(*part[:2], grid) for part in pieces])
    )
    dx, slope = step_slopes(dy, x, y, grid, (0,))
    found = [step_slopes(*part, grid, (0,)) for part in pieces]
    np.testing.assert_array_equal(dx, np.concatenate([part[0] for part in found]))
    size = float(np.abs(dy).sum()) * (1 << grid.bits)
    assert slope == pytest.approx(sum(float(part[1]) for part in found), abs=1e-5 * size)


@pytest.mark.parametrize("interpreted", [False, True])
def test_every_pass_equals_its_formula(interpreted):
    def kernel(name):
        compiled = getattr(float_grids, name)
        return compiled.py_func if interpreted else compiled

    x = np.array([-1.3, -1.0, -0.3, 0.2, 0.5, 0.75, 1.0, 1.1, np.nan])
    y, dx, total = np.empty(9), np.empty(9), np.zeros(3)
    kernel("round_to_grid")(x, 0.5, 1.0, -1.0, 2.0, y)  # codes -1 .. 2 around the zero point 1: steps -2 .. 1
    assert y.tolist() == [-1.0, -1.0, -0.5, 0.0, 0.5, 0.5, 0.5, 0.5, 0.0]
    dy = np.arange(1.0, 10.0)
    kernel("pass_on_grid")(dy, x, 0.5, -2.0, 1.0, dx)
    assert dx.tolist() == [0, 2, 3, 4, 5, 0, 0, 0, 0]
    x[8] = 0.1
    kernel("add_step_slopes")(*(a.reshape(3, 3) for a in (dy, x, y)), 0.5, -2.0, 1.0, dx.reshape(3, 3), total)
    assert dx.tolist() == [0, 0, 3, 4, 0, 0, 0, 0, 9]
    slopes = dy * (y / 0.5 - np.where(dx != 0, x / 0.5, 0))
    np.testing.assert_allclose(total, slopes.reshape(3, 3).sum(axis=0))
