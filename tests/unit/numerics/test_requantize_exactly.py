"""Every requantizer against big-integer formulas: exhaustive small accumulators, wide ones, and constructed ties."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refq.errors import RangeError
from refq.numerics import double, dyadic, int64, pow2, single, single_away
from refq.numerics.multiply_shift import is_tie, multiply_shift
from tests.naive import fixed_point as naive

RULES = {"double": double, "single": single, "single_away": single_away, "int64": int64, "dyadic": dyadic, "pow2": pow2}
FACTORED = [name for name in RULES if name != "pow2"]
WIDTH = {"double": 31, "single": 60, "single_away": 60, "int64": 47, "dyadic": 60, "pow2": 60}


def big(name: str, accs, *factors: int) -> list[int]:
    return [naive.APPLY[name](int(acc), *factors) for acc in np.ravel(accs)]


def applied(name: str, accs, *factors: int) -> list[int]:
    return RULES[name].apply(np.asarray(accs, np.int64), *(np.asarray(f) for f in factors)).tolist()


def some_multipliers(name: str) -> list[int]:
    rng = np.random.default_rng(5)
    m = [2**30, 2**30 + 1, 3 * 2**29, 2**31 - 2, 2**31 - 1, *rng.integers(2**30, 2**31, 6).tolist(), 0]
    if name == "dyadic":
        m.append(2**31)  # the mantissa that is not renormalised
    return sorted({(v + 2**15) >> 16 for v in m}) if name == "int64" else m


@pytest.mark.parametrize("name", FACTORED)
def test_every_small_accumulator_equals_the_big_integer_formula(name):
    for bits in (8, 10, 12):
        accs = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
        for m in some_multipliers(name) if bits < 12 else some_multipliers(name)[:3]:
            for s in (-31, -bits, -3, -2, -1, 0, 1, 7):
                assert applied(name, accs, m, s) == big(name, accs, m, s), (m, s)


def test_every_small_accumulator_is_shifted_as_the_formula_says():
    accs = np.arange(-2048, 2048)
    for n in range(-20, 16):
        assert applied("pow2", accs, n) == big("pow2", accs, n)


@pytest.mark.parametrize("name", RULES)
def test_wide_accumulators_equal_the_big_integer_formula(name):
    rng = np.random.default_rng(6)
    for bits in (20, 31, 40, 47, 60):
        if bits > WIDTH[name]:
            continue
        accs = [*rng.integers(-(2**bits), 2**bits, 200).tolist(), -(2**bits), 2**bits - 1, 0, -1]
        for s in (-31, -30, -17, -8, -1):
            factors = [(-s,)] if name == "pow2" else [(m, s) for m in some_multipliers(name)]
            for f in factors:
                assert applied(name, accs, *f) == big(name, accs, *f), (bits, f)


@pytest.mark.parametrize("name", ["single", "single_away", "dyadic"])
def test_wide_accumulators_with_left_shifts_equal_the_big_integer_formula(name):
    accs = [2**45 + 12345, -(2**45) - 1, 3, 2**40]
    for s in (1, 5, 12):
        for m in some_multipliers(name):
            assert applied(name, accs, m, s) == big(name, accs, m, s)


def constructed_ties(m: int, right: int, limit: int) -> list[int]:
    """Accumulators with acc * m = an odd multiple of 2**(right - 1): none unless 2**(right - 1) / gcd is small."""
    half = 2 ** (right - 1)
    step = half // gcd(half, m)
    return [k * step for k in range(-41, 42, 2) if (k * step * m // half) % 2 and abs(k * step) < limit]


@pytest.mark.parametrize("name", FACTORED)
@pytest.mark.parametrize("zeros", [4, 10, 20, 30])
def test_constructed_ties_of_both_signs_equal_the_big_integer_formula(name, zeros):
    one, found = (15, 0) if name == "int64" else (31, 0)
    zeros = min(zeros, one - 1)
    for m in {2 ** (one - 1), 2 ** (one - 1) | 2**zeros, 2**one - 2**zeros}:
        for s in (-12, -3, -1, 0, 3):
            ties = constructed_ties(m, one - s, 2 ** (WIDTH[name] - max(s, 0)))
            found += len(ties)
            assert any(t < 0 for t in ties) == any(t > 0 for t in ties)
            assert applied(name, ties, m, s) == big(name, ties, m, s)
            near = [t + d for t in ties for d in (-1, 1)]
            assert applied(name, near, m, s) == big(name, near, m, s)
    assert found > 100


@given(acc=st.integers(-(2**60), 2**60), m=st.integers(1, 2**31), right=st.integers(0, 93))
def test_ties_are_found_exactly(acc, m, right):
    want = right > 0 and (acc * m) % 2**right == 2 ** (right - 1)
    assert bool(is_tie(np.array(acc), m, right)) == want


@given(k=st.integers(-(2**20), 2**20), m=st.sampled_from([1, 2**30, 3 * 2**29, 2**31]), right=st.integers(1, 60))
def test_constructed_halves_are_ties(k, m, right):
    numerator = (2 * k + 1) * 2 ** (right - 1)
    acc = numerator // m
    if acc * m == numerator and abs(acc) < 2**60:
        assert is_tie(np.array(acc), m, right)


def test_what_no_longer_fits_64_bits_is_refused_instead_of_wrapped():
    with pytest.raises(RangeError, match="is not below 2"):
        multiply_shift(np.array([2**61]), 2**30, 31)
    with pytest.raises(RangeError, match="times its factor does not fit 64 bits"):
        multiply_shift(np.array([2**50]), 2**30, 5)
    with pytest.raises(RangeError, match="shift to the right of -1 places"):
        multiply_shift(np.array([1]), 2**30, -1)


def test_the_dyadic_mantissa_is_not_renormalised():
    """HAWQ: 1 - 2**-40 has mantissa 2**31 and exponent 0, where quantize_multiplier gives (2**30, 1)."""
    assert [int(v) for v in dyadic.prepare(1 - 2.0**-40)] == [2**31, 0]
    assert int(dyadic(12345, 1 - 2.0**-40)) == 12345
    with pytest.raises(RangeError, match="must be finite and not negative"):
        dyadic.prepare(-1.0)


def test_the_dyadic_factor_rounds_the_product_of_scales_to_float32_first():
    s1, s2, out = np.float32(0.1), np.float32(0.3), np.float32(0.7)
    want = np.float64(np.float32(np.float64(s1) * np.float64(s2))) / np.float64(out)
    assert float(dyadic.factor((s1, s2), out)) == want


@given(acc=st.integers(-(2**21), 2**21), real=st.floats(2.0**-12, 4.0))
def test_dyadic_equals_the_float64_simulation_while_its_product_is_exact(acc, real):
    mantissa, exponent = np.frexp(real)
    m = np.floor(mantissa * 2.0**31 + 0.5)
    assert int(dyadic(acc, real)) == int(np.rint(acc * m / 2.0 ** (31 - exponent)))
