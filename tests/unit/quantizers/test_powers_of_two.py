"""PowerOfTwo and APoT against their formulas."""

from itertools import product
from math import floor, log2

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError
from refq.quantizers.apot import APoT
from refq.quantizers.power_of_two import PowerOfTwo

RNG = np.random.default_rng(1)


def naive_inq(w, bits, signed):
    """Zhou et al. 2017: the set {0, +-2**n1 .. +-2**n2}, nearest member."""
    top = floor(log2(4 * max(abs(v) for v in w) / 3))
    powers = [2.0 ** (top - i) for i in range(2 ** (bits - signed) - 1)]
    members = [0.0, *powers] + ([-p for p in powers] if signed else [])
    return [min(members, key=lambda m, v=v: abs(m - v)) for v in w]


def naive_log_quant(w, bits, signed):
    """Miyashita et al. 2016: 0 for 0, else 2**clip(round(log2|x|), FSR - 2**bits + 1, FSR)."""
    top, count = floor(log2(max(abs(v) for v in w)) + 0.5), 2 ** (bits - signed) - 1
    power = [0.0 if v == 0 else 2.0 ** min(max(floor(log2(abs(v)) + 0.5), top - count + 1), top) for v in w]
    return [p if v >= 0 else -p for p, v in zip(power, w, strict=True)]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize(("domain", "naive"), [("linear", naive_inq), ("log", naive_log_quant)])
def test_powers_of_two_follow_the_formula_at_every_width(bits, domain, naive, signed):
    if not (2 if signed else 1) <= bits <= (8 if signed else 7):
        with pytest.raises(RangeError, match=f"bits={bits} of a power-of-two grid"):
            PowerOfTwo(bits=bits, signed=signed)
        return
    w = RNG.normal(size=200).astype(np.float32) * np.exp(RNG.normal(size=200).astype(np.float32) * 3)
    w[:2] = 0
    w = w if signed else np.abs(w)
    grid = PowerOfTwo(bits=bits, domain=domain, signed=signed).fit(w, (0,))
    assert grid.bits == bits
    np.testing.assert_array_equal(grid.dequantize(grid.quantize(w)), naive([float(v) for v in w], bits, signed))


def test_thresholds_of_powers_of_two_lie_at_one_and_a_half_or_at_the_square_root_of_two():
    x = np.array([1.0, 1.49, 1.51, 2.0], np.float32)
    linear = PowerOfTwo(bits=4).below(np.array(2.0), None)
    assert linear.dequantize(linear.quantize(x)).tolist() == [1, 1, 2, 2]
    x = np.array([1.0, 1.41, 1.42, 2.0, 1e-30, 0.0, -1e-30], np.float32)
    log = PowerOfTwo(bits=4, domain="log").below(np.array(2.0), None)
    assert log.dequantize(log.quantize(x)).tolist() == [1, 1, 2, 2, 2**-5, 0, -(2**-5)]


def test_the_largest_power_is_that_nearest_to_the_largest_magnitude():
    for largest, top in ((1.4, 1), (1.51, 2), (2.9, 2), (3.1, 4)):
        assert PowerOfTwo(bits=3).fit(np.array([largest, -1.0]), (0,)).levels.max() == top


@pytest.mark.parametrize("value", [0.0, 1e-45, 1e-40, 1.0, 3e38])
@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("domain", ["linear", "log"])
def test_powers_of_two_stay_normal_numbers_for_extreme_data(value, bits, domain):
    grid = PowerOfTwo(bits=bits, domain=domain).fit(np.array([value, -value], np.float32), (0,))
    powers = np.abs(grid.levels[grid.levels != 0])
    assert powers.min() >= 2.0**-126
    assert np.isfinite(grid.dequantize(grid.quantize([value, -value]))).all()


def paper_levels(n, k):
    """Eq. (5): p_i in {0, 2**-i, 2**-(i+n), ..., 2**-(i+(2**k-2)n)}, every sum."""
    terms = [[0.0] + [2.0 ** -(i + j * n) for j in range(2**k - 1)] for i in range(n)]
    return sorted(sum(choice) for choice in product(*terms))


@pytest.mark.parametrize(("bits", "k"), [(3, 2), (5, 2), (7, 2), (9, 2), (4, 3), (7, 3), (5, 1), (10, 3), (6, 5)])
def test_additive_powers_of_two_are_all_sums_of_the_papers_terms(bits, k):
    grid, wanted = APoT(bits=bits, term_bits=k), paper_levels((bits - 1) // k, k)
    steps = grid.steps()
    np.testing.assert_array_equal(steps / steps[-1], np.array(wanted) / wanted[-1])
    assert all(bin(step).count("1") <= (bits - 1) // k for step in steps.tolist())
    shape = grid.shape_of_levels()
    np.testing.assert_allclose(shape, [*[-v / wanted[-1] for v in wanted[:0:-1]], *[v / wanted[-1] for v in wanted]])


def test_four_bits_have_the_terms_of_the_authors():
    assert APoT(bits=4).exponents() == [[0, 1, 3], [2]]
    assert APoT(bits=3, signed=False).exponents() == [[0, 1, 3], [2]]
    assert APoT(bits=2).exponents() == [[0]]


def test_one_bit_a_term_makes_the_additive_grid_uniform():
    np.testing.assert_allclose(APoT(bits=5, term_bits=1).shape_of_levels(), np.linspace(-1, 1, 31))


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("signed", [True, False])
def test_every_legal_width_has_all_its_levels(bits, signed):
    if not (2 if signed else 1) <= bits <= (16 if signed else 15):
        with pytest.raises(RangeError, match=f"bits={bits} of an additive grid"):
            APoT(bits=bits, signed=signed)
        return
    grid = APoT(bits=bits, signed=signed).fit(np.abs(RNG.normal(size=300)), (0,))
    assert grid.count == (2**bits - 1 if signed else 2**bits)
    np.testing.assert_array_equal(grid.quantize(grid.levels[0]), np.arange(grid.count))


def test_exponents_too_far_apart_for_float32_are_refused():
    with pytest.raises(RangeError, match="exponents 64 apart"):
        APoT(bits=13, term_bits=5, signed=True)
    with pytest.raises(RangeError, match="term_bits=0"):
        APoT(term_bits=0)


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
def test_the_clipping_value_has_the_least_error_of_a_fine_search(bits):
    x = np.random.default_rng(bits).normal(size=2000).astype(np.float32)
    grid = APoT(bits=bits)
    shape, fitted = grid.shape_of_levels(), grid.fit(x, (0,))

    def error(scale):
        return (np.abs(x[:, None] - scale * shape).min(axis=1).astype(np.float64) ** 2).sum()

    best = min(error(scale) for scale in np.linspace(0.05, 8, 800))
    mine = ((x - fitted.dequantize(fitted.quantize(x))).astype(np.float64) ** 2).sum()
    assert mine <= best * 1.002


@pytest.mark.parametrize("grid", [PowerOfTwo(), APoT()])
@pytest.mark.parametrize("bad", [[], [np.nan], [1, np.inf], [1e300]])
def test_data_without_finite_values_is_refused(grid, bad):
    with pytest.raises(CalibrationError, match="no finite values"):
        grid.fit(np.array(bad, np.float64), (0,))


@pytest.mark.parametrize("grid", [PowerOfTwo(), PowerOfTwo(domain="log"), APoT()])
def test_a_block_of_its_own_is_fitted_like_a_tensor_of_its_own(grid):
    x = RNG.normal(size=(3, 7)).astype(np.float32) * np.array([[1], [30], [0.01]], np.float32)
    whole = grid.fit(x, (1, 4))
    for i in range(3):
        for j in range(2):
            part = x[i, 4 * j : 4 * j + 4]
            np.testing.assert_array_equal(whole.levels[i, j], grid.fit(part, (0,)).levels[0])
