import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics import round_real, shift_right


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("value", [-2.75, -0.5, -0.125, 0.25, 0.5, 3.9])
def test_reals_go_up_as_often_as_their_fraction_says(value):
    n = 40000
    y = round_real(np.full(n, value), "stochastic", rng())
    fraction = value - np.floor(value)
    assert set(y.tolist()) <= {np.floor(value), np.floor(value) + 1}
    deviation = (y.mean() - value) / np.sqrt(fraction * (1 - fraction) / n)
    assert abs(deviation) < 5


@pytest.mark.parametrize(("value", "shift"), [(-11, 2), (-1, 3), (1, 3), (5, 1), (2**61 + 3 * 2**58, 60), (7, 5)])
def test_integers_go_up_as_often_as_the_lost_bits_say(value, shift):
    n = 40000
    y = shift_right(np.full(n, value), shift, "stochastic", rng())
    low, fraction = value >> shift, (value % 2**shift) / 2**shift
    assert set(y.tolist()) == {low, low + 1}
    deviation = ((y - low).mean() - fraction) / np.sqrt(fraction * (1 - fraction) / n)
    assert abs(deviation) < 5


@given(x=st.integers(-(2**40), 2**40), shift=st.integers(0, 40), seed=st.integers(0, 99))
def test_multiples_stay_and_the_rest_moves_to_a_neighbour(x, shift, seed):
    y = int(shift_right(x << shift if shift <= 20 else x, shift, "stochastic", rng(seed)))
    if shift <= 20:
        assert y == x
    else:
        assert y in (x >> shift, (x >> shift) + (x % 2**shift != 0))
    assert float(round_real(np.float64(x), "stochastic", rng(seed))) == x


def test_one_seed_gives_one_result_and_chunks_of_one_generator_give_the_whole():
    x = rng(1).normal(size=(40, 3, 5))
    whole = round_real(x, "stochastic", rng())
    np.testing.assert_array_equal(whole, round_real(x, "stochastic", rng()))
    shared = rng()
    parts = [round_real(x[i : i + 7], "stochastic", shared) for i in range(0, 40, 7)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    codes = rng(2).integers(-1000, 1000, (40, 9))
    codes[3:9] = 64  # nothing to draw for, and yet drawn for
    shifts = np.arange(9)
    shared = rng()
    parts = [shift_right(codes[i : i + 7], shifts, "stochastic", shared) for i in range(0, 40, 7)]
    np.testing.assert_array_equal(shift_right(codes, shifts, "stochastic", rng()), np.concatenate(parts))


def test_float32_keeps_its_type_and_infinities_stay():
    y = round_real(np.array([0.5, np.inf, -np.inf], np.float32), "stochastic", rng())
    assert y.dtype == np.float32
    assert y[1:].tolist() == [np.inf, -np.inf]


def test_a_generator_is_asked_for():
    for call in (lambda: round_real(0.5, "stochastic"), lambda: shift_right(3, 1, "stochastic")):
        with pytest.raises(RangeError, match="'stochastic' needs a generator; pass rng="):
            call()
