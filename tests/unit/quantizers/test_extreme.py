"""One, two and three levels, their thresholds and scales, against formulas and brute force."""

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError, ShapeError
from refq.quantizers import quantize_array
from refq.quantizers.abc_net import ABCActivations, ABCWeights
from refq.quantizers.apply import dequantize_array
from refq.quantizers.binary import Binary
from refq.quantizers.horq import HORQ
from refq.quantizers.levels import Levels
from refq.quantizers.sign import Sign
from refq.quantizers.ternary import Ternary
from refq.quantizers.ternary_activation import TernaryActivation
from refq.quantizers.trained_ternary import TrainedTernary, trained_ternary_gradients
from refq.quantizers.wrpn import WRPN

RNG = np.random.default_rng(4)
GRIDS = [
    Binary(),
    Sign(),
    Ternary(),
    Ternary(threshold=None),
    TrainedTernary(),
    TrainedTernary(threshold=None),
    TernaryActivation(),
    TernaryActivation(scaled=True),
    HORQ(order=3),
    ABCWeights(),
    ABCActivations.spread_over(3),
]


def reals(fitted, x):
    return fitted.dequantize(fitted.quantize(x)).astype(np.float64)


def error(fitted, x):
    return float(((np.asarray(x, np.float64) - reals(fitted, x)) ** 2).sum())


def test_binary_levels_of_a_block_are_its_mean_magnitude():
    x = np.array([[1, -3, 0.0, 5], [-0.0, 0, -8, 0]], np.float32)
    fitted = Binary().fit(x, (1, 2))
    assert reals(fitted, x).tolist() == [[2, -2, 2.5, 2.5], [pytest.approx(0, abs=1e-37)] * 2 + [-4, 4]]


def test_the_sign_of_the_smallest_numbers_is_kept():
    x = np.array([-1e-45, -0.0, 0.0, 1e-45], np.float32)
    assert reals(Sign(alpha=2.0).fit(x, (0,)), x).tolist() == [-2, 2, 2, 2]


def test_stochastic_signs_have_the_probability_of_the_hard_sigmoid():
    x, n = np.array([-3, -1, -0.5, 0, 0.25, 1, 7, np.nan], np.float32), 20000
    codes = Sign().fit(np.ones(1), (0,)).quantize_stochastic(np.tile(x, (n, 1)).ravel(), np.random.default_rng(0))
    share = codes.reshape(n, -1).mean(axis=0)
    wanted = np.clip((np.nan_to_num(x) + 1) / 2, 0, 1)
    assert np.all(np.abs(share - wanted) <= 4 * np.sqrt(wanted * (1 - wanted) / n))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_stochastic_levels_are_unbiased_neighbours_whatever_the_chunks(count):
    rng = np.random.default_rng(5)
    levels = np.sort(rng.normal(size=(2, 3, count)), axis=-1)
    grid = Levels(levels=levels, block=(1, 2))
    x = rng.uniform(-2, 2, size=(2, 5)).astype(np.float32)
    n, total = 4000, np.zeros((2, 5))
    draws = np.random.default_rng(1)
    for _ in range(n):
        codes = grid.quantize_stochastic(x, draws).astype(int)
        total += grid.dequantize(codes)
        for i, j in np.ndindex(x.shape):
            table = grid.levels[i, j // 2]
            value = float(np.clip(x[i, j], table[0], table[-1]))
            assert abs(codes[i, j] - np.interp(value, table, np.arange(count))) < 1
    for i, j in np.ndindex(x.shape):
        table = grid.levels[i, j // 2].astype(float)
        gap = max(np.diff(table), default=0.0)
        assert abs(total[i, j] / n - np.clip(x[i, j], table[0], table[-1])) <= 4 * gap / 2 / n**0.5 + 1e-6
    np.testing.assert_array_equal(
        grid.dequantize(grid.quantize_stochastic(grid.dequantize(codes), draws)), grid.dequantize(codes)
    )
    flat, parts = Levels(levels=levels[0, 0]), np.random.default_rng(9)
    whole = flat.quantize_stochastic(x, np.random.default_rng(9))
    chunks = [flat.quantize_stochastic(x[i : i + 1], parts) for i in range(2)]
    np.testing.assert_array_equal(whole, np.concatenate(chunks))


def naive_ternary(x, delta):
    """Errors and scale of a threshold."""
    kept = [abs(v) for v in x if abs(v) > delta]
    alpha = sum(kept) / len(kept) if kept else 0.0
    return sum((v - (alpha if v > delta else -alpha if v < -delta else 0)) ** 2 for v in x)


@pytest.mark.parametrize("shape", ["normal", "laplace", "exponential"])
def test_the_optimal_ternary_threshold_beats_every_other(shape):
    x = getattr(RNG, shape)(size=60).astype(np.float32)
    values = [float(v) for v in x]
    best = min(naive_ternary(values, d) for d in [0.0, *map(abs, values)])
    assert error(Ternary(threshold=None).fit(x, (0,)), x) == pytest.approx(best, rel=1e-5)
    assert error(Ternary().fit(x, (0,)), x) >= best * (1 - 1e-6)
    assert error(TrainedTernary(threshold=None).fit(x, (0,)), x) <= best * (1 + 1e-6)


def test_ternary_levels_are_the_codes_of_a_graph_times_its_scale():
    x = RNG.normal(size=(4, 50)).astype(np.float32)
    for grid in (Ternary(), Ternary(threshold=None), Ternary(threshold=0.0)):
        q = grid.qparams(x, 0)
        np.testing.assert_array_equal(reals(grid.fit(x, (1, 0)), x), dequantize_array(grid.codes(x, q), q))


def test_ternary_thresholds_are_strict_on_both_sides():
    fitted = Ternary(threshold=1.0).fit(np.array([-1, -1, 1, 1], np.float32), (0,))
    assert fitted.quantize([-1, 1]).tolist() == [1, 1]
    fitted = TernaryActivation(delta=0.5).fit(np.array([-2.0, 2.0]), (0,))
    assert fitted.quantize([-1, 1, -1.01, 1.01]).tolist() == [1, 1, 0, 2]


def test_trained_ternary_scales_begin_as_the_means_of_what_they_stand_for():
    x = np.array([-4, -2, -0.1, 0.1, 1, 10], np.float32)
    fitted = TrainedTernary(threshold=0.05).fit(x, (0,))  # delta = 0.5
    assert fitted.levels[0].tolist() == [-3, 0, 5.5]
    assert fitted.quantize(x).tolist() == [0, 0, 1, 1, 2, 2]


def test_trained_ternary_gradients_are_differences_of_a_loss():
    x, target = RNG.normal(size=20).astype(np.float32), RNG.normal(size=20)
    fitted = TrainedTernary(threshold=0.2).fit(x, (0,))
    codes = fitted.quantize(x)
    low, _, high = fitted.levels[0].astype(float)

    def loss(wp, wn):
        return float(((np.array([-wn, 0, wp])[codes] - target) ** 2).sum() / 2)

    dy = np.array([low, 0, high])[codes] - target
    dw, dwp, dwn = trained_ternary_gradients(dy, fitted, codes)
    step = 1e-4
    assert dwp == pytest.approx((loss(high + step, -low) - loss(high - step, -low)) / (2 * step), rel=1e-5)
    assert dwn == pytest.approx((loss(high, -low + step) - loss(high, -low - step)) / (2 * step), rel=1e-5)
    np.testing.assert_allclose(dw, [g * (-low, 1, high)[c] for g, c in zip(dy, codes, strict=True)])
    with pytest.raises(ShapeError, match="need codes of that shape"):
        trained_ternary_gradients(dy[:3], fitted, codes)


def test_ternary_activations_have_the_threshold_of_the_paper():
    x = RNG.normal(size=(3, 40)).astype(np.float32)
    limits = 0.4 * np.abs(x).mean(axis=1, keepdims=True)
    wanted = np.sign(x) * (np.abs(x) > limits)
    np.testing.assert_array_equal(reals(TernaryActivation().fit(x, (1, 0)), x), wanted)
    scaled = reals(TernaryActivation(scaled=True).fit(x, (1, 0)), x)
    for row, signs, got in zip(x, wanted, scaled, strict=True):
        np.testing.assert_allclose(got, signs * np.abs(row[signs != 0]).mean(), rtol=1e-5)


@pytest.mark.parametrize("order", range(1, 9))
def test_residual_planes_repeat_the_binarization_of_what_is_left(order):
    x = RNG.normal(size=(2, 30))
    fitted = HORQ(order=order).fit(x, (1, 0))
    left = x.copy()
    for i in range(order):
        beta = np.abs(left).mean(axis=1)
        np.testing.assert_allclose(fitted.alphas[:, 0, i], beta, rtol=1e-5)
        left -= beta[:, None] * np.where(left >= 0, 1, -1)
    np.testing.assert_allclose(reals(fitted, x), x - left, atol=1e-5)
    assert fitted.bits == HORQ(order=order).bits == order


@pytest.mark.parametrize("bits", range(1, 9))
def test_abc_weights_are_the_least_squares_sum_of_shifted_signs(bits):
    x = RNG.normal(0.3, 2, size=200).astype(np.float32)
    fitted = ABCWeights(bits=bits).fit(x, (0,))
    wide = x.astype(float)
    shifts = [0.0] if bits == 1 else [-1 + 2 * i / (bits - 1) for i in range(bits)]
    signs = np.stack([np.where(wide - wide.mean() + u * wide.std() >= 0, 1.0, -1.0) for u in shifts], axis=1)
    np.testing.assert_array_equal(fitted.signs(fitted.quantize(x)), signs)
    alphas = np.linalg.lstsq(signs, wide, rcond=None)[0]
    np.testing.assert_allclose(reals(fitted, x), signs @ alphas, atol=1e-4)


def test_abc_activations_clip_what_is_shifted():
    x = RNG.uniform(-0.5, 1.5, 300).astype(np.float32)
    grid = ABCActivations(shifts=(0.25, 0.0, -0.3))
    fitted = grid.fit(x, (0,))
    signs = np.stack([2 * (np.clip(x + np.float32(v), 0, 1) >= 0.5) - 1 for v in grid.shifts], axis=1)
    assert np.mean(fitted.signs(fitted.quantize(x)) == signs) > 0.999
    alphas = np.linalg.lstsq(signs.astype(float), x.astype(float), rcond=None)[0]
    np.testing.assert_allclose(fitted.alphas[0], alphas, rtol=1e-2, atol=1e-2)
    assert ABCActivations.spread_over(3).shifts == (0.25, 0.0, -0.25)
    assert grid.bits == 3


@pytest.mark.parametrize("bits", range(1, 17))
def test_wrpn_has_the_levels_of_its_formula(bits):
    x = RNG.uniform(-1.5, 1.5, 500)
    if bits > 1:
        grid, steps = WRPN(bits=bits).fit(x, (0,)), 2 ** (bits - 1) - 1
        wanted = np.rint(steps * np.clip(x, -1, 1))
        np.testing.assert_array_equal(
            np.abs(quantize_array(x, grid) - wanted) <= (np.abs(x * steps % 1 - 0.5) < 1e-3), True
        )
    grid, steps = WRPN(bits=bits, signed=False).fit(x, (0,)), 2**bits - 1
    wanted = np.rint(steps * np.clip(x, 0, 1)) / steps
    np.testing.assert_allclose(dequantize_array(quantize_array(x, grid), grid), wanted, atol=1.001 / steps / 500 + 1e-6)
    assert WRPN(width=3).filters(16) == 48


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("value", [0.0, 1e-42, -2.5, 3e38])
def test_constant_tensors_have_finite_levels(grid, value):
    x = np.full((2, 3), value, np.float32)
    assert np.isfinite(reals(grid.fit(x, (1, 0)), x)).all()


@pytest.mark.parametrize("grid", [*GRIDS, WRPN()])
@pytest.mark.parametrize("bad", [[], [np.nan], [np.inf], [-1e39]])
def test_data_without_finite_values_is_refused(grid, bad):
    with pytest.raises(CalibrationError, match="no finite values"):
        grid.fit(np.array(bad), (0,))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Sign(alpha=0), "alpha=0"),
        (lambda: TrainedTernary(threshold=1), "threshold=1"),
        (lambda: Ternary(threshold=-1), "threshold=-1"),
        (lambda: TernaryActivation(delta=-1), "delta=-1"),
        (lambda: HORQ(order=0), "order=0"),
        (lambda: HORQ(order=33), "order=33"),
        (lambda: ABCWeights(bits=0), "bits=0"),
        (lambda: ABCActivations(shifts=()), "shifts="),
        (lambda: WRPN(bits=1), r"bits=1 is outside 2\.\.16"),
        (lambda: WRPN(bits=33), "bits=33"),
        (lambda: WRPN(width=0), "width=0"),
    ],
)
def test_parameters_outside_their_range_are_refused(make, text):
    with pytest.raises(RangeError, match=text):
        make()
