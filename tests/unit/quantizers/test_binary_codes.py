"""BinaryCode and LQNets against recursions written from the papers."""

from itertools import product

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.lq_nets import LQNets

RNG = np.random.default_rng(2)
DATA = {
    "gaussian": RNG.normal(size=400).astype(np.float32),
    "laplace": RNG.laplace(size=400).astype(np.float32),
    "few": np.array([0.5, -1.0, 2.0], np.float32),
}


def reals(fitted, x):
    return fitted.dequantize(fitted.quantize(x)).astype(np.float64)


def error(fitted, x):
    return float(((x - reals(fitted, x)) ** 2).sum())


def naive_greedy(x, bits):
    """Residuals, one sign at a time; (alphas, approximation)."""
    left, alphas = [float(v) for v in x], []
    for _ in range(bits):
        alphas.append(sum(abs(v) for v in left) / len(left))
        left = [v - alphas[-1] if v >= 0 else v + alphas[-1] for v in left]
    return alphas, [float(v) - r for v, r in zip(x, left, strict=True)]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("name", DATA)
def test_greedy_follows_the_residuals(name, bits):
    x = DATA[name]
    fitted = BinaryCode(bits=bits, method="greedy").fit(x, (0,))
    alphas, approximation = naive_greedy(x, bits)
    np.testing.assert_allclose(fitted.alphas[0], alphas, rtol=1e-5, atol=1e-7)
    if name != "few":  # there residuals vanish, and their sign is a matter of rounding
        wanted = np.array(approximation)
        assert np.mean(np.abs(reals(fitted, x) - wanted) < 1e-5) > 0.99


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("name", DATA)
def test_alternating_is_never_worse_than_greedy(name, bits):
    x = DATA[name]
    errors = {m: error(BinaryCode(bits=bits, method=m).fit(x, (0,)), x) for m in ("greedy", "refined", "alternating")}
    assert errors["alternating"] <= errors["greedy"] * (1 + 1e-6) + 1e-9
    assert errors["refined"] <= errors["greedy"] * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("grid", [BinaryCode(bits=3), LQNets(bits=3), LQNets(bits=2)])
@pytest.mark.parametrize("name", ["gaussian", "laplace"])
def test_the_fitted_basis_is_the_least_squares_one_for_its_own_codes(grid, name):
    x = DATA[name]
    fitted = grid.fit(x, (0,))
    signs = fitted.signs(fitted.quantize(x)).astype(np.float64)
    wanted = np.linalg.lstsq(signs, x.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(fitted.alphas[0], wanted, rtol=1e-3)


def test_one_and_two_bits_reach_what_a_grid_search_finds():
    x = DATA["gaussian"][:100].astype(np.float64)
    one = BinaryCode(bits=1).fit(x, (0,))
    assert float(one.alphas[0, 0]) == pytest.approx(np.abs(x).mean(), rel=1e-6)
    best = min(
        float((np.abs(np.abs(x)[:, None] - np.array([a + b, abs(a - b)])).min(axis=1) ** 2).sum())
        for a, b in product(np.linspace(0.02, 2, 100), repeat=2)
    )
    assert error(BinaryCode(bits=2).fit(x, (0,)), x) <= 1.05 * best
    assert error(LQNets(bits=2).fit(x, (0,)), x) <= 1.05 * best


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_a_learned_basis_is_never_worse_than_the_uniform_grid_it_starts_from(bits, signed):
    x = DATA["laplace"] if signed else np.abs(DATA["laplace"])
    fitted = LQNets(bits=bits, signed=signed).fit(x, (0,))
    codes = np.arange(2**bits)
    shape = (2 * codes - codes[-1] if signed else codes) / codes[-1]
    scales = np.linspace(0.02, 2, 400) * np.abs(x).max()
    uniform = min(float((np.abs(x[:, None] - s * shape).min(axis=1).astype(np.float64) ** 2).sum()) for s in scales)
    assert error(fitted, x) <= uniform * 1.01 + 1e-6
    assert fitted.bits == bits
    if not signed:
        assert 0 in np.round(fitted.sums(), 5)


@pytest.mark.parametrize("grid", [BinaryCode(bits=4, method=m) for m in ("greedy", "refined", "alternating")])
def test_bases_are_fitted_block_by_block(grid):
    x = RNG.normal(size=(3, 10)).astype(np.float32)
    whole = grid.fit(x, (1, 6))
    for i in range(3):
        for j, part in enumerate((x[i, :6], x[i, 6:])):
            np.testing.assert_allclose(whole.alphas[i, j], grid.fit(part, (0,)).alphas[0], rtol=1e-6)


@pytest.mark.parametrize(
    "grid", [BinaryCode(bits=3), BinaryCode(bits=3, method="greedy"), LQNets(), LQNets(signed=False)]
)
@pytest.mark.parametrize("value", [0.0, 1e-42, 2.5, 3e38])
def test_a_constant_tensor_is_met(grid, value):
    x = np.full((2, 3), value, np.float32)
    np.testing.assert_allclose(reals(grid.fit(x, (0, 0)), x), x, rtol=1e-4, atol=1e-37)


@pytest.mark.parametrize("grid", [BinaryCode(), LQNets()])
def test_what_cannot_be_is_refused(grid):
    for bad in ([], [np.nan]):
        with pytest.raises(CalibrationError, match="no finite values"):
            grid.fit(np.array(bad), (0,))
    for bits in (0, 9, 33):
        with pytest.raises(RangeError, match=f"bits={bits}"):
            type(grid)(bits=bits)
    with pytest.raises(RangeError, match="iterations=-1"):
        type(grid)(iterations=-1)
    with pytest.raises(RangeError, match="method="):
        BinaryCode(method="best")
