"""Rules that are smooth while training, or whose gradient is that of a curve: numbers by hand, and differences."""

from math import log, sqrt

import numpy as np
import pytest

from refq.errors import RangeError
from refq.quantizers.learning import LsqPlus, Moment, Relaxed, SoftSteps, WaveWeights, target_propagation
from refq.quantizers.learning.lsq import Lsq
from refq.quantizers.learning.relaxed import relaxed

RESTING = Moment()


def curve(x, low, high, alpha, bits):
    """The soft steps of DSQ, element by element, written from the formula of the paper."""
    top = 2**bits - 1
    step, k = (high - low) / top, log(2 / alpha - 1)
    found = []
    for value in np.ravel(x):
        i = min(int((value - low) // step), top - 1)
        middle = low + (i + 0.5) * step
        inside = low + step * (i + (np.tanh(k * (value - middle) / step) / np.tanh(k / 2) + 1) / 2)
        found.append(low if value < low else high if value > high else inside)
    return np.reshape(found, np.shape(x))


def test_soft_steps_by_hand():
    rule, learned = SoftSteps(bits=2), {"low": np.float64(-1.0), "high": np.float64(2.0), "alpha": np.float64(0.2)}
    x = np.array([[-0.9, -0.4, 0.5, 1.8, 2.5, -1.5]])
    y, pull, grid = rule.apply(x, 0, learned, RESTING)
    assert (float(grid.scale), int(grid.zero_point)) == (1.0, -1)
    np.testing.assert_array_equal(y, [[-1, 0, 0, 2, 2, -1]])
    k = log(9)
    r = np.array([-0.4, 0.1, 0.0, 0.3])
    np.testing.assert_allclose(pull(np.ones((1, 6)))[0][0, :4], k / 2 * (1 - np.tanh(k * r) ** 2) / 0.8)
    assert list(pull(np.ones((1, 6)))[0][0, 4:]) == [0, 0]
    assert np.tanh(k / 2) == pytest.approx(0.8)


def test_soft_steps_have_the_derivatives_of_their_curve():
    rng = np.random.default_rng(3)
    x, dy = rng.normal(0, 0.6, (4, 9)), rng.normal(size=(4, 9))
    place = {"low": -0.75, "high": 0.75 * 1.5, "alpha": 0.15}  # -low is a whole number of steps: 6 of 0.125
    assert place["low"] / ((place["high"] - place["low"]) / 15) == -6
    _, pull, _ = SoftSteps(bits=4).apply(x, None, {k: np.float64(v) for k, v in place.items()}, RESTING)
    dx, slopes = pull(dy)
    assert (x < place["low"]).any()
    assert (x > place["high"]).any()
    step = 1e-6
    numeric = (curve(x + step, **place, bits=4) - curve(x - step, **place, bits=4)) / (2 * step) * dy
    np.testing.assert_allclose(dx, numeric, rtol=1e-4, atol=1e-7)
    for name in place:
        ends = [(curve(x, **(place | {name: place[name] + d}), bits=4) * dy).sum() for d in (step, -step)]
        assert float(slopes[name]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_sharper_soft_steps_come_near_rounding():
    x = np.linspace(-0.99, 1.99, 50)
    distances = [np.abs(curve(x, -1.0, 2.0, alpha, 2) - np.clip(np.rint(x), -1, 2)).max() for alpha in (0.4, 0.1, 1e-3)]
    assert distances[0] > distances[1] > distances[2]


def test_probabilities_of_levels_are_those_of_logistic_noise_by_hand():
    levels, step, sigma = np.array([-1.0, 0.0, 1.0]), 0.5, 0.2
    noise = np.array([[0.3, -0.2, 0.1]])

    def logistic(value):
        return 1 / (1 + np.exp(-value / sigma))

    edges = np.array([-0.75, -0.25, 0.25, 0.75])
    mass = np.diff(logistic(edges - 0.1))
    p = mass / mass.sum()
    z = np.exp((np.log(p) + noise[0]) / 0.7)
    expected = 0.5 * (z / z.sum()) @ levels
    y, _ = relaxed(np.array([0.1]), levels, np.float64(step), np.float64(sigma), noise, np.float64(0.7))
    assert y[0] == pytest.approx(expected, rel=1e-12)


def test_relaxed_samples_have_their_own_derivatives():
    rng = np.random.default_rng(5)
    x, dy = rng.normal(0, 0.4, (3, 8)), rng.normal(size=(3, 8))
    rule, place = Relaxed(bits=3, temperature=0.8), {"step": 0.21, "sigma": 0.09}

    def run(values, settings):
        learned = {name: np.float64(value) for name, value in settings.items()}
        return rule.apply(values, 0, learned, Moment(training=True, progress=0.2, rng=np.random.default_rng(7)))

    dx, slopes = run(x, place)[1](dy)
    step = 1e-6
    numeric = (run(x + step, place)[0] - run(x - step, place)[0]) / (2 * step) * dy  # elements do not meet
    np.testing.assert_allclose(dx, numeric, rtol=1e-5, atol=1e-8)
    for name in place:
        ends = [(run(x, place | {name: place[name] + d})[0] * dy).sum() for d in (step, -step)]
        assert float(slopes[name]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_a_cold_relaxed_sample_with_little_noise_is_the_nearest_level():
    x = np.random.default_rng(1).normal(0, 0.3, (5, 20))
    rule, learned = Relaxed(bits=3, temperature=0.01), {"step": np.float64(0.2), "sigma": np.float64(1e-3)}
    steps = x / 0.2
    clear = np.abs(steps - np.floor(steps) - 0.5) > 0.1
    y, _, _ = rule.apply(x, 0, learned, Moment(training=True, progress=0.0, rng=np.random.default_rng(2)))
    np.testing.assert_allclose(y[clear], 0.2 * np.clip(np.rint(steps), -4, 3)[clear], atol=1e-6)


def test_lsq_plus_starts_where_no_other_step_and_offset_have_less_error():
    x = np.random.default_rng(0).normal(0.3, 0.5, (32, 40))
    x = x / (1 + np.exp(-4 * x))  # one-sided with a dip below zero, as swish leaves it
    rule = LsqPlus(bits=3)
    learned = rule.start(x, None)
    found = ((rule.apply(x, None, learned, RESTING)[0] - x) ** 2).sum()
    span = x.max() - x.min()
    for step in np.linspace(0.2, 1.05, 40) * span / 7:
        for zero in range(5):
            y = step * (np.clip(np.rint(x / step) + zero, 0, 7) - zero)
            assert found <= ((y - x) ** 2).sum() * 1.01
    widest = {"step": np.float64(span / 7), "offset": np.float64(x.min())}
    assert found < 0.9 * ((rule.apply(x, None, widest, RESTING)[0] - x) ** 2).sum()


def test_weights_of_lsq_plus_start_at_three_deviations():
    x = np.array([[1.0, -1.0, 3.0, 1.0]])
    spread = 3 * sqrt(2.0)  # mean 1, squares of differences 0, 4, 4, 0
    for values in (x, -x):
        assert float(Lsq(bits=3, initial="deviation").start(values, 0)["step"]) == pytest.approx((1 + spread) / 4)


def test_learned_widths_round_up_to_the_grid_they_are_deployed_on():
    x = np.array([[0.4, -0.9, 1.2]])
    rule = WaveWeights(bits=5.0, pace=2.0)
    assert float(rule.start(x, 0)["width"]) == 2.5
    y, pull, grid = rule.apply(x, 0, {"width": np.float64(0.6)}, RESTING)  # beta = 1.2: 2 bits and a sign
    np.testing.assert_allclose(y, [[1 / 3, -1, 1]])
    assert grid.bits == 3
    np.testing.assert_array_equal(pull(np.ones((1, 3)))[0], [[1, 1, 0]])
    assert rule.apply(x, 0, {"width": np.float64(9.0)}, RESTING)[2].bits == 8


def test_target_propagation_is_the_gradient_of_soft_hinges_at_the_targets_of_the_next_layer():
    x = np.array([[0.3, -0.8], [1.2, 0.1]])
    dy = np.array([[0.5, -0.01], [0.0, 2.0]])
    target = np.array([[-1, 1], [0, -1]])
    step = 1e-6

    def hinge(z, weight=1.0):
        return (weight * (1 + np.tanh(-target * z)) * (target != 0)).sum() / 2

    for weighted in (False, True):
        weight = 2 * np.abs(dy) if weighted else 1.0
        found = target_propagation(weighted)(dy, x, 0.0)
        for place in np.ndindex(2, 2):
            moved = np.zeros((2, 2))
            moved[place] = step
            numeric = (hinge(x + moved, weight) - hinge(x - moved, weight)) / (2 * step)
            assert found[place] == pytest.approx(numeric, abs=1e-8)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: SoftSteps(alpha=0.5), "alpha=0.5 in"),
        (lambda: Relaxed(bits=5), "outside 2..4"),
        (lambda: Relaxed(temperature=0.0), "temperature=0.0 must be positive"),
        (lambda: WaveWeights(bits=9.0), "bits=9.0 must be in 1..7"),
    ],
)
def test_settings_outside_their_range_are_named(build, text):
    with pytest.raises(RangeError, match=text):
        build()
