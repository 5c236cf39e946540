"""LAB and LAT against sums by hand, brute force over every support, and what the optimizer knows."""

from itertools import combinations

import numpy as np
import pytest

from refq.errors import TrainingError
from refq.quantizers.learning import LossAwareSignWeights, LossAwareTernaryWeights, Moment, ScaledSignWeights
from refq.training import adam, constant, fit, quantized, sgd
from tests.unit.training.test_quantized import chain, task

RESTING = Moment()


def test_the_scale_of_loss_aware_signs_is_a_mean_weighted_by_curvature_by_hand():
    x = np.array([[0.5, -1.5], [0.25, -0.75]])
    d = {"curvature": np.array([[1.0, 3.0], [2.0, 2.0]])}
    y, pull, grid = LossAwareSignWeights().apply(x, 0, d, RESTING)
    alpha = (1 * 0.5 + 3 * 1.5 + 2 * 0.25 + 2 * 0.75) / (1 + 3 + 2 + 2)
    np.testing.assert_allclose(y, [[alpha, -alpha], [alpha, -alpha]], rtol=1e-7)
    assert (grid.axis, grid.bits) == (None, 1)
    dy = np.array([[1.0, 2.0], [3.0, -4.0]])
    np.testing.assert_array_equal(pull(dy)[0], dy)
    y, _, _ = LossAwareSignWeights(per_channel=True).apply(x, 0, d, RESTING)
    np.testing.assert_allclose(y, [[5 / 4, -5 / 4], [2 / 4, -2 / 4]], rtol=1e-7)
    rows, _, _ = LossAwareSignWeights(per_channel=True).apply(x.T, 1, {"curvature": d["curvature"].T}, RESTING)
    np.testing.assert_array_equal(rows, y.T)


def test_equal_curvature_gives_the_scale_of_binary_weight_networks():
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype(np.float32)
    learned = LossAwareSignWeights().start(x, 0)
    y, _, _ = LossAwareSignWeights(per_channel=True).apply(x, 0, learned, RESTING)
    np.testing.assert_array_equal(y, ScaledSignWeights().apply(x, 0, {}, RESTING)[0])


def least_error(w, d):
    """The smallest sum of d (alpha b - w)**2 over every support, alpha by least squares."""
    errors = [float((d * w**2).sum())]
    for count in range(1, len(w) + 1):
        for support in map(list, combinations(range(len(w)), count)):
            alpha = (d * np.abs(w))[support].sum() / d[support].sum()
            kept = np.zeros(len(w))
            kept[support] = np.sign(w[support])
            errors.append(float((d * (alpha * kept - w) ** 2).sum()))
    return min(errors)


@pytest.mark.parametrize("seed", range(20))
def test_exact_loss_aware_ternary_weights_have_the_least_error_of_all_supports(seed):
    rng = np.random.default_rng(seed)
    x, d = rng.normal(size=(3, 7)), rng.gamma(0.5, size=(3, 7)) + 1e-3
    x[:, 1] = -x[:, 0]  # equal magnitudes
    y, _, _ = LossAwareTernaryWeights(per_channel=True).apply(x, 0, {"curvature": d}, RESTING)
    for row, found, weight in zip(x, y, d, strict=True):
        assert float((weight * (found - row) ** 2).sum()) == pytest.approx(least_error(row, weight), rel=1e-5)
    whole, _, grid = LossAwareTernaryWeights().apply(x[:, :4], 0, {"curvature": d[:, :4]}, RESTING)
    error = float((d[:, :4] * (whole - x[:, :4]) ** 2).sum())
    assert error == pytest.approx(least_error(x[:, :4].reshape(-1), d[:, :4].reshape(-1)), rel=1e-5)
    assert grid.axis is None


def test_loss_aware_ternary_weights_by_hand():
    x, d = np.array([[2.0, -1.0, 0.3]]), {"curvature": np.array([[1.0, 4.0, 1.0]])}
    # k = 1: 2**2 / 1 = 4;  k = 2: (2 + 4)**2 / 5 = 7.2;  k = 3: 6.3**2 / 6 = 6.615
    held, grid = LossAwareTernaryWeights().stored(x, 0, d)
    np.testing.assert_array_equal(held, [[1, -1, 0]])
    assert float(grid.scale) == pytest.approx(6 / 5, rel=1e-6)
    # from mean |w| = 1.1 all above 0.55 are kept, with alpha = 6 / 5 all above 0.6: the same, and 6 / 5 it stays
    held, grid = LossAwareTernaryWeights(exact=False).stored(x, 0, d)
    np.testing.assert_array_equal(held, [[1, -1, 0]])
    assert float(grid.scale) == pytest.approx(6 / 5, rel=1e-6)


@pytest.mark.parametrize("exact", [True, False])
def test_channels_may_lie_along_any_axis(exact):
    rng = np.random.default_rng(1)
    x, d = rng.normal(size=(4, 3, 2, 5)), rng.random((4, 3, 2, 5)) + 0.1
    rule = LossAwareTernaryWeights(exact=exact, per_channel=True)
    y = rule.apply(x, 0, {"curvature": d}, RESTING)[0]
    for axis in (1, 3):
        moved = rule.apply(np.moveaxis(x, 0, axis), axis, {"curvature": np.moveaxis(d, 0, axis)}, RESTING)[0]
        np.testing.assert_array_equal(np.moveaxis(moved, axis, 0), y)


def test_alternating_steps_never_raise_the_error():
    rng = np.random.default_rng(2)
    x, d = rng.normal(size=(1, 200)), {"curvature": rng.gamma(0.5, size=(1, 200)) + 1e-3}
    errors = []
    for iterations in (1, 2, 5, 20):
        y, _, _ = LossAwareTernaryWeights(exact=False, iterations=iterations).apply(x, 0, d, RESTING)
        errors.append(float((d["curvature"] * (y - x) ** 2).sum()))
    best = LossAwareTernaryWeights().apply(x, 0, d, RESTING)[0]
    assert np.all(np.diff(errors) <= 1e-9)
    assert errors[-1] >= float((d["curvature"] * (best - x) ** 2).sum()) - 1e-9


def test_the_curvature_is_that_of_adams_moments_one_step_before():
    x, y = task()
    net = quantized(chain(), x[:32], weights=LossAwareSignWeights())
    settings = {"epochs": 3, "batch_size": len(x), "optimizer": adam(beta2=0.9), "schedule": constant(0.01)}
    before = fit(net, (x, y), **settings, until=2).state
    after = fit(net, (x, y), **settings)
    name = "conv1/kernel"
    expected = np.sqrt(before.optimizer[f"v/{name}"] / (1 - 0.9**2)) + 1e-8
    np.testing.assert_allclose(after.state.statistics[f"{name}//curvature"], expected, rtol=1e-5)
    w = after.state.values[name].astype(np.float64)
    alpha = (expected * np.abs(w)).sum() / expected.sum()
    grid = after.graph.tensors[name].qparams
    assert float(grid.scale) == pytest.approx(alpha, rel=1e-5)


def test_an_optimizer_without_second_moments_is_refused():
    x, y = task()
    net = quantized(chain(), x[:32], weights=LossAwareTernaryWeights())
    with pytest.raises(TrainingError, match="no curvature of its weights; use adam"):
        fit(net, (x, y), epochs=1, optimizer=sgd())
