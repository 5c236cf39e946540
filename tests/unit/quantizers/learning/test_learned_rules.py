"""Gradient rules against numbers worked out by hand from the papers' formulas."""

from math import sqrt

import numpy as np
import pytest

from refq.quantizers import ABCWeights, TernaryActivation
from refq.quantizers.learning import (
    Averaged,
    Blended,
    DoReFaWeights,
    FittedLevelWeights,
    InformationRetentionWeights,
    Lsq,
    LsqPlus,
    Moment,
    Pact,
    QilWeights,
    QuantizationNoise,
    ScaledSignWeights,
    SignWeights,
    StraightThrough,
    TernaryActivations,
    TernaryWeights,
    TrainedTernaryWeights,
    UnitActivations,
    WrpnWeights,
    clipped,
    error_decay,
    identity,
    polynomial,
    quantize_gradient,
    sign_swish,
    within,
)
from refq.quantizers.uniform import Uniform

RESTING = Moment()


def weights(seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(0, 0.4, (5, 3, 3, 4)).astype(dtype)


def test_lsq_of_weights_by_hand():
    x = np.array([[0.3, -1.7, 0.9, 9.0]])
    rule = Lsq(bits=3)  # QN = 4, QP = 3
    y, pull, _ = rule.apply(x, 0, {"step": np.float64(0.5)}, RESTING)
    np.testing.assert_allclose(y, [[0.5, -1.5, 1.0, 1.5]])
    dx, slopes = pull(np.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(dx, [[1.0, 2.0, 3.0, 0.0]])
    # round(v) - v: 1 - 0.6, -3 + 3.4, 2 - 1.8; QP = 3 above
    expected = (1 * 0.4 + 2 * 0.4 + 3 * 0.2 + 4 * 3) / sqrt(4 * 3)
    assert float(slopes["step"]) == pytest.approx(expected, rel=1e-6)
    assert float(rule.start(x, 0)["step"]) == pytest.approx(2 * 11.9 / 4 / sqrt(3))


def test_lsq_of_activations_counts_features_and_clips_at_zero_by_hand():
    x = np.array([[0.3, -0.2], [0.9, 9.0]])
    y, pull, grid = Lsq(bits=2, nonnegative=True).apply(x, None, {"step": np.float64(0.5)}, RESTING)
    np.testing.assert_allclose(y, [[0.5, 0.0], [1.0, 1.5]])
    assert (grid.qmin, int(grid.zero_point)) == (-2, -2)
    dx, slopes = pull(np.ones((2, 2)))
    np.testing.assert_array_equal(dx, [[1, 0], [1, 0]])
    assert float(slopes["step"]) == pytest.approx((0.4 + 0.0 + 0.2 + 3.0) / sqrt(2 * 3), rel=1e-6)


def test_lsq_plus_by_hand():
    x = np.array([[-0.4, 0.3, -2.0, 9.0]])
    y, pull, _ = LsqPlus(bits=2).apply(x, None, {"step": np.float64(0.5), "offset": np.float64(-0.5)}, RESTING)
    np.testing.assert_allclose(y, [[-0.5, 0.5, -0.5, 1.0]])
    dx, slopes = pull(np.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(dx, [[1, 2, 0, 0]])
    # v = (x + 0.5) / 0.5: 0.2, 1.6, below, above
    scale = 1 / sqrt(4 * 3)
    assert float(slopes["step"]) == pytest.approx((1 * -0.2 + 2 * 0.4 + 4 * 3) * scale, rel=1e-5)
    assert float(slopes["offset"]) == pytest.approx((3 + 4) * scale, rel=1e-6)


def test_pact_by_hand():
    x = np.array([[0.3, -1.0, 5.0, 2.0]])
    y, pull, _ = Pact(bits=2, decay=0.1).apply(x, None, {"alpha": np.float64(1.5)}, RESTING)
    np.testing.assert_allclose(y, [[0.5, 0.0, 1.5, 1.5]])
    dx, slopes = pull(np.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(dx, [[1, 0, 0, 0]])
    assert float(slopes["alpha"]) == pytest.approx(3 + 4 + 2 * 0.1 * 1.5)
    assert float(Pact().start(x, None)["alpha"]) == 5
    assert float(Pact(initial=10.0).start(x, None)["alpha"]) == 10


def test_dorefa_weights_by_hand():
    x = np.array([[0.2, -0.9, 0.5]])
    y, pull, _ = DoReFaWeights(bits=2).apply(x, 0, {}, RESTING)
    bounded = np.tanh(x) / (2 * np.tanh(0.9)) + 0.5
    np.testing.assert_allclose(y, 2 * np.rint(3 * bounded) / 3 - 1, rtol=1e-7)
    dx, _ = pull(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_allclose(dx, np.array([[1.0, 2.0, 3.0]]) * (1 - np.tanh(x) ** 2) / np.tanh(0.9))
    one, pull, _ = DoReFaWeights(bits=1).apply(x, 0, {}, RESTING)
    np.testing.assert_allclose(one, np.sign(x) * np.abs(x).mean(), rtol=1e-7)
    np.testing.assert_array_equal(pull(x)[0], x)


def test_unit_activations_and_wrpn_weights_by_hand():
    x = np.array([[0.4, -0.1, 1.2]])
    y, pull, _ = UnitActivations(bits=2).apply(x, None, {}, RESTING)
    np.testing.assert_allclose(y, [[1 / 3, 0, 1]], rtol=1e-7)
    np.testing.assert_array_equal(pull(np.ones((1, 3)))[0], [[1, 0, 0]])
    y, pull, _ = WrpnWeights(bits=3).apply(np.array([[0.4, -0.9, -1.2]]), 0, {}, RESTING)
    np.testing.assert_allclose(y, [[1 / 3, -1, -1]], rtol=1e-7)
    np.testing.assert_array_equal(pull(np.ones((1, 3)))[0], [[1, 1, 0]])


def test_gradients_of_k_bits_have_no_bias_and_2_to_the_k_levels():
    dy = np.broadcast_to(np.array([0.3, -1.0, 0.7, 0.05]), (1, 4))
    rng = np.random.default_rng(0)
    drawn = np.stack([quantize_gradient(dy, 2, rng)[0] for _ in range(4000)])
    assert set(np.round(drawn.reshape(-1), 6)) <= set(np.round([-1, -1 / 3, 1 / 3, 1], 6))
    np.testing.assert_allclose(drawn.mean(axis=0), dy[0], atol=0.03)


def test_scaled_signs_follow_the_formula_of_xnor_net_by_hand():
    x = np.array([[0.5, -1.5, 0.25, -0.75]])
    y, pull, _ = ScaledSignWeights().apply(x, 0, {}, RESTING)
    np.testing.assert_allclose(y, [[0.75, -0.75, 0.75, -0.75]])
    dx, _ = pull(np.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(dx, [[1 * 1.0, 2 * 0.25, 3 * 1.0, 4 * 1.0]])


def test_signs_pass_gradients_inside_one_and_may_be_drawn():
    x = np.array([[0.5, -1.5, 0.0]])
    y, pull, _ = SignWeights().apply(x, 0, {}, RESTING)
    np.testing.assert_array_equal(y, [[1, -1, 1]])
    np.testing.assert_array_equal(pull(np.ones((1, 3)))[0], [[1, 0, 1]])
    many = np.full((1, 20000), 0.5)
    moment = Moment(training=True, progress=0.0, rng=np.random.default_rng(0))
    drawn, _, _ = SignWeights(stochastic=True).apply(many, 0, {}, moment)
    assert (drawn == 1).mean() == pytest.approx(0.75, abs=0.02)
    rule = SignWeights(stochastic=True, deployed="reals")
    drawn, _, grid = rule.apply(x, 0, {}, moment)
    np.testing.assert_array_equal(np.abs(drawn), 1)
    assert grid.is_binary
    np.testing.assert_allclose(rule.apply(x, 0, {}, RESTING)[0], [[64 / 127, -1, 0]])  # 63.5 to the even step


def smaller_half():
    size = np.abs(weights()[:1])
    return size < np.sort(size.reshape(-1))[18]


def test_trained_ternary_weights_by_hand():
    x = np.array([[1.0, -0.5, 0.04, -0.03]])
    learned = {"positive": np.float64(0.8), "negative": np.float64(0.4)}
    y, pull, grid = TrainedTernaryWeights(threshold=0.05).apply(x, 0, learned, RESTING)
    assert float(grid.scale) == pytest.approx(0.8 / 127)
    np.testing.assert_allclose(y, [[0.8, -64 * 0.8 / 127, 0, 0]], rtol=1e-6)
    dx, slopes = pull(np.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(dx, [[0.8, 0.8, 3.0, 4.0]])
    assert (float(slopes["positive"]), float(slopes["negative"])) == (1.0, -2.0)
    half = TrainedTernaryWeights(sparsity=0.5)
    np.testing.assert_array_equal(half.stored(weights()[:1], 0, half.start(weights()[:1], 0))[0] == 0, smaller_half())


def test_a_moving_average_follows_batches_until_it_freezes_and_rounds_after_the_delay():
    rule = Averaged(momentum=0.75, delay=0.5, freeze=0.8)
    x = np.array([[-1.0, 0.26, 3.0]])
    learned = {"low": np.float64(-2.0), "high": np.float64(1.0)}
    moved = rule.observe(x, learned, Moment(training=True, progress=0.6))
    assert (float(moved["low"]), float(moved["high"])) == (-1.75, 1.5)
    assert rule.observe(x, learned, Moment(training=True, progress=0.8)) == {}
    early, pull, _ = rule.apply(x, None, learned, Moment(training=True, progress=0.4))
    np.testing.assert_array_equal(early, x)
    late, pull, _ = rule.apply(x, None, learned, Moment(training=True, progress=0.5))
    assert late[0, 2] == pytest.approx(1.0, abs=0.01)
    np.testing.assert_array_equal(pull(np.ones((1, 3)))[0], [[1, 1, 0]])


def test_fitted_levels_are_those_of_the_grid_on_eight_bits():
    x = weights()
    y, pull, grid = FittedLevelWeights(levels=ABCWeights(bits=2)).apply(x, 0, {}, RESTING)
    for filter_, found, scale in zip(x, y, grid.scale, strict=True):
        signs = [np.where(filter_ >= filter_.mean() - u * filter_.std(), 1.0, -1.0).reshape(-1) for u in (-1, 1)]
        factors = np.linalg.lstsq(np.stack(signs, axis=1), filter_.reshape(-1).astype(float), rcond=None)[0]
        np.testing.assert_allclose(found.reshape(-1), factors @ np.stack(signs), atol=0.51 * scale)
    np.testing.assert_array_equal(pull(x)[0], x)


def slope(function, x, dy, step=1e-6):
    """Central differences of sum(dy * function(x)), place by place."""
    found = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        found[place] = ((function(x + moved) - function(x - moved)) * dy).sum() / (2 * step)
    return found


@pytest.mark.parametrize(
    ("estimator", "smooth"),
    [
        (polynomial, lambda x, p: np.where(x < 0, 2 * x + x**2, 2 * x - x**2)),
        (sign_swish(3.0), lambda x, p: 2 * (s := 1 / (1 + np.exp(-3 * x))) * (1 + 3 * x * (1 - s)) - 1),
        (
            error_decay(0.1, 10.0),
            lambda x, p: max(1 / (0.1 * 100**p), 1) * np.tanh(0.1 * 100**p * x),
        ),
        (clipped, lambda x, p: np.clip(x, -1, 1)),
        (within(0.5), lambda x, p: np.clip(x, -0.5, 0.5)),
        (identity, lambda x, p: x),
    ],
)
@pytest.mark.parametrize("progress", [0.0, 0.7, 1.0])
def test_an_estimator_is_the_derivative_of_its_smooth_sign(estimator, smooth, progress):
    x = np.array([-0.93, -0.4, -0.05, 0.11, 0.6, 0.97])
    found = estimator(np.ones(6), x, progress)
    np.testing.assert_allclose(found, slope(lambda v: smooth(v, progress), x, np.ones(6)), rtol=1e-5, atol=1e-8)


def test_information_retention_takes_mean_and_deviation_into_the_gradient():
    x, dy = weights(1, np.float64), weights(2, np.float64)
    rule = InformationRetentionWeights(estimator=identity)
    _, pull, grid = rule.apply(x, 0, {}, RESTING)
    scale = grid.along(grid.scale, 4)

    def smooth(v):
        centred = v - v.mean(axis=(1, 2, 3), keepdims=True)
        return scale * centred / np.sqrt((centred**2).mean(axis=(1, 2, 3), keepdims=True))

    np.testing.assert_allclose(pull(dy)[0], slope(smooth, x, dy), rtol=1e-5, atol=1e-7)
    assert np.all(np.log2(grid.scale) % 1 == 0)


def test_a_learned_interval_has_the_derivatives_of_its_transformer():
    x, dy = weights(3, np.float64), weights(4, np.float64)
    learned = {"centre": np.float64(0.5), "distance": np.float64(0.35)}
    first = QilWeights(bits=3).start(x, 0)
    assert float(first["centre"]) == float(first["distance"]) == pytest.approx(np.abs(x).mean() * sqrt(3))
    dx, slopes = QilWeights(bits=3).apply(x, 0, learned, RESTING)[1](dy)

    def transform(v, c=0.5, d=0.35):
        return np.sign(v) * np.clip((np.abs(v) - c + d) / (2 * d), 0, 1)

    np.testing.assert_allclose(dx, slope(transform, x, dy), rtol=1e-5, atol=1e-8)
    for name, moved in (("centre", {"c": 0.5}), ("distance", {"d": 0.35})):
        key, value = next(iter(moved.items()))
        ends = [(transform(x, **{key: value + step}) * dy).sum() for step in (1e-6, -1e-6)]
        assert float(slopes[name]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_blending_ends_on_the_grid_and_noise_leaves_the_stated_part_real():
    x = weights()
    rule = Blended(rule=TernaryWeights(), until=0.5)
    full, _, _ = rule.apply(x, 0, {}, RESTING)
    half, pull, _ = rule.apply(x, 0, {}, Moment(training=True, progress=0.25))
    np.testing.assert_allclose(half, 0.125 * x + 0.875 * full, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pull(np.ones_like(x))[0], 0.125)
    np.testing.assert_array_equal(rule.apply(x, 0, {}, Moment(training=True, progress=0.5))[0], full)
    noisy = QuantizationNoise(rule=SignWeights(), rate=0.3)
    y, pull, _ = noisy.apply(x, 0, {}, Moment(training=True, progress=0.0, rng=np.random.default_rng(0)))
    assert (y != x).mean() == pytest.approx(0.3, abs=0.1)
    outside = np.abs(x) > 1
    np.testing.assert_array_equal(pull(np.ones_like(x))[0], np.where((y != x) & outside, 0, 1))


def test_stochastic_rounding_while_training_has_the_weights_as_its_mean():
    x = weights()
    rule = StraightThrough(grid=Uniform(bits=3, symmetric=True, narrow=True), rounding="stochastic")
    rng = np.random.default_rng(0)
    drawn = [rule.apply(x, 0, {}, Moment(training=True, progress=0.0, rng=rng))[0] for _ in range(500)]
    np.testing.assert_allclose(np.mean(drawn, axis=0), x, atol=0.06)
    np.testing.assert_array_equal(
        rule.apply(x, 0, {}, RESTING)[0], StraightThrough(grid=rule.grid).apply(x, 0, {}, RESTING)[0]
    )


def test_ternary_activations_change_at_four_tenths_of_the_mean_magnitude_by_hand():
    rule = TernaryActivations(delta=0.4, momentum=0.75)
    x = np.array([[0.3, -0.5, 2.0, -0.39]])
    y, pull, grid = rule.apply(x, None, {"size": np.float64(1.0)}, RESTING)
    np.testing.assert_allclose(y, [[0, -0.8, 0.8, 0]], rtol=1e-6)
    assert (grid.qmin, grid.qmax) == (-1, 1)
    np.testing.assert_allclose(pull(np.array([[1.0, 2.0, 3.0, 4.0]]))[0], [[0.8, 1.6, 0, 3.2]], rtol=1e-6)
    moved = rule.observe(x, {"size": np.float64(1.0)}, Moment(training=True))
    assert float(moved["size"]) == pytest.approx(0.75 + 0.25 * (0.3 + 0.5 + 2.0 + 0.39) / 4)
    grid_of_paper = TernaryActivation(delta=0.4).fit(x, (0, 0))
    size = {"size": np.abs(x).mean()}
    levels = grid_of_paper.dequantize(grid_of_paper.quantize(x))
    np.testing.assert_array_equal(np.sign(rule.apply(x, None, size, RESTING)[0]), levels)
