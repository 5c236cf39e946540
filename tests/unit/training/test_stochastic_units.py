from itertools import product

import numpy as np
import pytest

from refq.errors import GraphError
from refq.quantizers.learning import Moment, StochasticSign, clipped
from refq.training import adam, constant, distill, fit, forward, quantized
from tests.unit.training.test_quantized import chain, task


def test_the_mean_of_the_unbiased_estimator_is_the_gradient_of_the_expected_loss():
    """Two samples of two units each: all 16 draws, weighted by their probabilities, against differences."""
    units = StochasticSign(steepness=1.7)
    a = np.array([[0.4, -0.9], [-0.2, 0.6]])

    def losses(y):
        return np.array([(y[n] @ [1.0, -0.7] + 0.3 * (n + 1)) ** 2 + y[n, 0] * y[n, 1] for n in range(2)])

    def draws(x):
        p = 1 / (1 + np.exp(-1.7 * x))
        for signs in product((-1.0, 1.0), repeat=4):
            y = np.reshape(signs, (2, 2))
            yield y, np.where(y > 0, p, 1 - p).prod()

    def expected(x):
        return sum(chance * losses(y).mean() for y, chance in draws(x))

    moment = Moment(training=True, progress=0.0)
    mean = sum(chance * units.slope(np.zeros((2, 2)), a, y, losses(y), moment) for y, chance in draws(a))
    for place in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[place] = 1e-6
        assert mean[place] == pytest.approx((expected(a + step) - expected(a - step)) / 2e-6, rel=1e-6)


def test_a_sample_whose_fellows_are_sure_has_the_mean_of_their_losses_taken_off():
    a, y = np.array([[0.0], [500.0], [-600.0]]), np.array([[1.0], [1.0], [-1.0]])
    found = StochasticSign().slope(np.zeros((3, 1)), a, y, np.array([5.0, 1.0, 2.0]), Moment(training=True))
    np.testing.assert_allclose(found[:, 0], [0.5 * (5.0 - 1.5) / 3, 0, 0], atol=1e-12)


def test_units_are_drawn_by_the_logistic_function_while_training_and_are_signs_outside():
    units, a = StochasticSign(steepness=2.0), np.full((20000,), 0.3)
    drawn = units.draw(a, Moment(training=True, progress=0.0, rng=np.random.default_rng(0)))
    assert set(drawn) == {-1.0, 1.0}
    assert (drawn == 1).mean() == pytest.approx(1 / (1 + np.exp(-0.6)), abs=0.01)
    np.testing.assert_array_equal(units.draw(np.array([0.3, -0.1, 0.0]), Moment()), [1, -1, 1])


def test_straight_through_units_pass_the_estimator_s_gradient():
    units = StochasticSign(estimator=clipped)
    x, dy = np.array([[0.5, -1.5]]), np.array([[2.0, 3.0]])
    np.testing.assert_array_equal(units.slope(dy, x, np.ones((1, 2)), None, Moment(training=True)), [[2.0, 0.0]])
    with pytest.raises(GraphError, match="needs the losses of samples"):
        StochasticSign().slope(dy, x, np.ones((1, 2)), None, Moment(training=True))


@pytest.mark.parametrize("units", [StochasticSign(estimator=clipped, steepness=4.0), StochasticSign(steepness=4.0)])
def test_a_network_of_drawn_units_learns_and_resumes_with_the_same_bits(units, tmp_path):
    x, y = task(240)
    net = quantized(chain(), x[:32], sign=units)
    settings = {"epochs": 8, "batch_size": 16, "optimizer": adam(), "schedule": constant(0.01)}
    whole = fit(net, (x, y), **settings)
    fit(net, (x, y), **settings, checkpoint=tmp_path / "run.npz", until=3)
    parts = fit(net, (x, y), **settings, checkpoint=tmp_path / "run.npz")
    assert all(np.array_equal(parts.state.values[name], value) for name, value in whole.state.values.items())
    state = whole.state
    tape = forward(net, state.values, state.statistics, {"x": x}, Moment())
    assert (tape.values["y"].argmax(axis=1) == y).mean() > 0.7


def test_losses_of_samples_are_those_of_the_run_also_beside_teachers_and_inner_tensors():
    x, y = task(48)
    lesson = distill([chain(1)], x, y, features={"relu2": "relu2"})
    seen = []

    def listening(outputs, targets):
        value, slopes = lesson["loss"](outputs, targets)
        seen.append((len(outputs[0]), value))
        return value, slopes

    net = quantized(chain(), x[:32], sign=StochasticSign(steepness=4.0))
    fit(net, lesson["data"], loss=listening, reads=lesson["reads"], epochs=1, batch_size=16)
    sizes = [size for size, _ in seen]
    assert sizes == ([16] + [1] * 16) * 3
    for start in range(0, len(seen), 17):
        assert seen[start][1] == pytest.approx(np.mean([value for _, value in seen[start + 1 : start + 17]]), rel=1e-5)
