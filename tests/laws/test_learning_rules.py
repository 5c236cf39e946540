"""The laws every rule obeys that training differentiates. A rule without an example here fails the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import refq
import refq.quantizers.learning as learning
from refq.quantizers.apply import dequantize_array, fake_quantize
from refq.quantizers.learning import Moment, Trainable, WaveWeights
from refq.training import adam, constant, fit, forward, quantized
from tests.laws.learning_rules import ACTIVATIONS, WEIGHTS
from tests.unit.training.test_quantized import chain, task

CASES = [pytest.param(rule, 0, id=f"weights-{i}-{type(rule).__name__}") for i, rule in enumerate(WEIGHTS)]
CASES += [pytest.param(rule, None, id=f"activations-{i}-{type(rule).__name__}") for i, rule in enumerate(ACTIVATIONS)]
RESTING = Moment()


def draw(seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(0, 0.4, (5, 3, 3, 4)).astype(dtype)


HARD = {
    "zeros": lambda x: np.zeros_like(x),
    "one value": lambda x: np.full_like(x, 0.7),
    "one sign": lambda x: -np.abs(x),
    "tiny": lambda x: x * x.dtype.type(1e-20),
    "large": lambda x: x * x.dtype.type(1e6),
    "one outlier": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 7, x.dtype.type(1e4), x),
}


def training(seed=1, progress=0.3):
    return Moment(training=True, progress=progress, rng=np.random.default_rng(seed))


def reals(held, grid):
    return dequantize_array(held, grid) if held.dtype.kind == "i" else fake_quantize(held, grid)


def test_every_rule_has_an_example():
    exported = {getattr(learning, name) for name in learning.__all__}
    rules = {
        kind for kind in exported if isinstance(kind, type) and issubclass(kind, Trainable) and kind is not Trainable
    }
    assert {type(rule) for rule in (*WEIGHTS, *ACTIVATIONS)} == rules


@pytest.mark.parametrize(("rule", "axis"), CASES)
@pytest.mark.parametrize("kind", ["normal", *HARD])
def test_outside_training_a_rule_gives_what_the_stored_constant_and_grid_stand_for(rule, axis, kind):
    x = draw() if kind == "normal" else HARD[kind](draw())
    for channels in (0, 3) if axis == 0 else (None,):
        learned = rule.start(x, channels)
        y, _, grid = rule.apply(x, channels, learned, RESTING)
        held, stored = rule.stored(x, channels, learned) if axis == 0 else (x, grid)
        assert grid == stored
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, reals(held, stored))


@pytest.mark.parametrize(("rule", "axis"), CASES)
@pytest.mark.parametrize("kind", ["normal", *HARD])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_finite_and_have_the_form_of_what_they_belong_to(rule, axis, kind, dtype):
    x = draw(dtype=dtype) if kind == "normal" else HARD[kind](draw(dtype=dtype))
    learned = {name: np.asarray(value, dtype) for name, value in rule.start(x, axis).items()}
    elsewhere = {"width"} if isinstance(rule, WaveWeights) else set()  # its gradient is that of the regularizer
    for progress in (0.0, 0.3, 1.0):
        y, pull, _ = rule.apply(x, axis, learned, training(progress=progress))
        dx, slopes = pull(np.ones_like(y))
        assert y.shape == x.shape
        assert (dx.shape, dx.dtype) == (x.shape, x.dtype)
        assert set(slopes) == set(learned) - rule.observed - elsewhere
        assert all(slopes[name].shape == learned[name].shape for name in slopes)
        assert all(np.isfinite(array).all() for array in (y, dx, *slopes.values()))


@pytest.mark.parametrize(("rule", "axis"), CASES)
def test_what_is_drawn_repeats_with_the_seed_and_inputs_stay_as_they_are(rule, axis):
    x = draw()
    learned = rule.start(x, axis)
    before = x.copy(), {name: np.copy(value) for name, value in learned.items()}
    runs = []
    for seed in (1, 1):
        y, pull, _ = rule.apply(x, axis, learned, training(seed))
        runs.append((y, *pull(draw(2))))
        rule.observe(x, learned, replace(training(seed), curvature=np.ones_like(x)))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    for name in runs[0][2]:
        np.testing.assert_array_equal(runs[0][2][name], runs[1][2][name])
    np.testing.assert_array_equal(x, before[0])
    assert all(np.array_equal(learned[name], value) for name, value in before[1].items())


@pytest.mark.parametrize(("rule", "axis"), CASES)
@pytest.mark.parametrize("value", [0.0, -3.0, 1e5])
def test_a_learned_value_may_be_pushed_anywhere(rule, axis, value):
    x = draw()
    start = rule.start(x, axis)
    for name in set(start) - rule.observed:
        learned = {**start, name: np.full_like(start[name], value)}
        y, pull, grid = rule.apply(x, axis, learned, training())
        dx, slopes = pull(np.ones_like(y))
        assert all(np.isfinite(array).all() for array in (y, dx, *slopes.values()))
        rest, _, grid = rule.apply(x, axis, learned, RESTING)
        held, stored = rule.stored(x, axis, learned) if axis == 0 else (x, grid)
        np.testing.assert_array_equal(rest, reals(held, stored))


@pytest.mark.parametrize(("rule", "axis"), CASES)
def test_a_run_resumes_with_the_same_bits_and_its_graph_computes_what_the_last_sweep_did(rule, axis, tmp_path):
    x, y = task(48)
    net = quantized(chain(), x[:24], **({"weights": rule} if axis == 0 else {"activations": rule}))
    assert rule in net.quantizers.values()
    settings = {"epochs": 2, "batch_size": 16, "optimizer": adam(), "schedule": constant(3e-3)}
    whole = fit(net, (x, y), **settings)
    fit(net, (x, y), **settings, until=1, checkpoint=tmp_path / "run.npz")
    parts = fit(net, (x, y), **settings, checkpoint=tmp_path / "run.npz")
    for store in ("values", "statistics", "optimizer"):
        found, expected = getattr(parts.state, store), getattr(whole.state, store)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    tape = forward(net, whole.state.values, whole.state.statistics, {"x": x}, RESTING)
    for name, array in refq.trace(whole.graph, x, path="fake").items():
        np.testing.assert_array_equal(array, tape.values[tape.seen(name)], err_msg=name)
    other = fit(replace(net), (x, y), **settings)
    assert all(np.array_equal(other.state.values[name], value) for name, value in whole.state.values.items())


ESTIMATORS = {
    "identity": learning.identity,
    "clipped": learning.clipped,
    "within": learning.within(0.5),
    "polynomial": learning.polynomial,
    "sign swish": learning.sign_swish(),
    "error decay": learning.error_decay(),
    "feasible targets": learning.target_propagation(),
    "weighted feasible targets": learning.target_propagation(weighted=True),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("kind", ["normal", *HARD])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_of_the_sign_is_finite_keeps_its_type_and_never_turns_around(name, kind, dtype):
    x = draw(dtype=dtype) if kind == "normal" else HARD[kind](draw(dtype=dtype))
    dy = draw(3, dtype)
    for progress in (0.0, 0.5, 1.0):
        dx = ESTIMATORS[name](dy, x, progress)
        assert (dx.shape, dx.dtype) == (x.shape, x.dtype)
        assert np.isfinite(dx).all()
        if name != "sign swish":  # BNN+'s curve overshoots the sign and comes back
            assert (dx * dy >= 0).all()


@pytest.mark.parametrize("units", [learning.StochasticSign(), learning.StochasticSign(estimator=learning.clipped)])
@pytest.mark.parametrize("kind", ["normal", *HARD])
def test_drawn_units_have_finite_gradients(units, kind):
    x = draw() if kind == "normal" else HARD[kind](draw())
    y = units.draw(x, training())
    np.testing.assert_array_equal(y, units.draw(x, training()))
    dx = units.slope(draw(3), x, y, np.arange(5, dtype=np.float32), training())
    assert (dx.shape, dx.dtype) == (x.shape, x.dtype)
    assert np.isfinite(dx).all()
