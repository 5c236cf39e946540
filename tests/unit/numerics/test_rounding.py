from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics import ROUNDING_MODES, round_real, shift_right


def exact(value: Fraction, mode: str) -> int:
    """The mode's definition on exact fractions."""
    if mode == "half_even":
        return round(value)
    if mode == "half_up":
        return floor(value + Fraction(1, 2))
    if mode == "half_away":
        return floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)
    return {"floor": floor, "ceil": ceil, "toward_zero": int}[mode](value)


@pytest.mark.parametrize("mode", ROUNDING_MODES)
@given(value=st.one_of(st.integers(-9, 9).map(lambda k: k / 2), st.floats(-1e9, 1e9)))
def test_round_real_equals_its_definition_on_exact_fractions(mode, value):
    assert int(round_real(np.float64(value), mode)) == exact(Fraction(value), mode)


@pytest.mark.parametrize("mode", ["half_away", "half_up"])
def test_the_largest_value_below_one_half_rounds_to_zero(mode):
    assert round_real(np.float64(0.49999999999999994), mode) == 0


@pytest.mark.parametrize("mode", ROUNDING_MODES)
@given(x=st.integers(-(2**62), 2**62), shift=st.integers(0, 62))
def test_shift_right_equals_exact_division_by_a_power_of_two(mode, x, shift):
    assert int(shift_right(np.int64(x), shift, mode)) == exact(Fraction(x, 2**shift), mode)


@pytest.mark.parametrize("mode", ROUNDING_MODES)
def test_shift_right_equals_its_definition_for_every_byte(mode):
    x = np.arange(-128, 128)
    for shift in range(9):
        assert shift_right(x, shift, mode).tolist() == [exact(Fraction(int(v), 2**shift), mode) for v in x]


def test_unknown_modes_and_shifts_are_refused_by_name():
    with pytest.raises(RangeError, match="rounding mode 'nearest' is not one of half_even"):
        round_real(1.5, "nearest")
    with pytest.raises(RangeError, match=r"shift=63 is outside 0\.\.62"):
        shift_right(1, 63, "floor")
