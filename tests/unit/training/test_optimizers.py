from math import pi

import numpy as np
import pytest

from refq.errors import RangeError
from refq.training import adam, adamw, constant, cosine, scaled, sgd, stepwise, warm_up

W, G1, G2 = np.array([[1.0, -2.0]]), np.array([[0.5, 1.0]]), np.array([[-1.0, 0.25]])


def two_steps(optimizer, rate=0.1):
    values, state = {"w": W}, optimizer.init({"w": W})
    for gradient in (G1, G2):
        values, state = optimizer.update({"w": gradient}, state, values, rate)
    return values["w"]


def test_sgd_with_momentum_and_decay_by_hand():
    first = G1 + 0.01 * W
    w = W - 0.1 * first
    second = G2 + 0.01 * w
    expected = w - 0.1 * (0.9 * first + second)
    np.testing.assert_allclose(two_steps(sgd(momentum=0.9, weight_decay=0.01)), expected, rtol=1e-14)


def test_nesterov_looks_ahead_by_hand():
    w = W - 0.1 * (G1 + 0.9 * G1)
    velocity = 0.9 * G1 + G2
    np.testing.assert_allclose(two_steps(sgd(momentum=0.9, nesterov=True)), w - 0.1 * (G2 + 0.9 * velocity), rtol=1e-14)


def test_adam_by_hand():
    w, m, v = W, 0.0, 0.0
    for t, gradient in ((1, G1), (2, G2)):
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-6)
    np.testing.assert_allclose(two_steps(adam(beta1=0.8, beta2=0.9, epsilon=1e-6)), w, rtol=1e-12)


def test_adamw_shrinks_weights_apart_from_the_gradient_and_leaves_vectors_alone():
    still = {"w": np.zeros((1, 2)), "b": np.zeros(2)}
    values = {"w": W, "b": np.array([3.0, 4.0])}
    optimizer = adamw(weight_decay=0.5)
    new, _ = optimizer.update(still, optimizer.init(values), values, 0.1)
    np.testing.assert_allclose(new["w"], 0.95 * W)
    np.testing.assert_array_equal(new["b"], values["b"])


@pytest.mark.parametrize("optimizer", [sgd(momentum=0.9, weight_decay=0.1), adam(weight_decay=0.1), adamw()])
def test_an_update_keeps_single_precision_and_changes_no_argument(optimizer):
    values = {"w": W.astype(np.float32)}
    state = optimizer.init(values)
    kept = {name: array.copy() for name, array in state.items()}
    new, later = optimizer.update({"w": G1.astype(np.float32)}, state, values, 0.1)
    assert new["w"].dtype == np.float32
    assert {array.dtype for name, array in later.items() if name != "steps"} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(values["w"], W.astype(np.float32))
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


def test_schedules_by_hand():
    assert constant(0.3)(7, 10) == 0.3
    assert cosine(1.0)(25, 100) == pytest.approx((1 + np.cos(pi / 4)) / 2)
    assert cosine(1.0, floor=0.1)(100, 100) == pytest.approx(0.1)
    assert [stepwise(1.0)(step, 100) for step in (49, 50, 75)] == pytest.approx([1.0, 0.1, 0.01])
    assert [warm_up(constant(1.0), 4)(step, 100) for step in (0, 1, 3, 4)] == [0.25, 0.5, 1.0, 1.0]


def test_settings_outside_their_range_are_refused():
    with pytest.raises(RangeError, match=r"momentum=1.0 is outside \[0, 1\)"):
        sgd(momentum=1.0)
    with pytest.raises(RangeError, match="rate=0 must be positive"):
        cosine(0)


def test_factors_lengthen_the_steps_of_the_values_they_name():
    values = {"w": np.array([1.0, -2.0]), "q//alpha": np.array(3.0)}
    gradients = {"w": np.array([0.5, 0.25]), "q//alpha": np.array(-1.0)}
    optimizer = scaled(sgd(momentum=0.9), {"q//alpha": 10.0, "unknown": 2.0})
    state = optimizer.init(values)
    values, state = optimizer.update(gradients, state, values, 0.1)
    np.testing.assert_allclose(values["w"], [0.95, -2.025])
    assert float(values["q//alpha"]) == pytest.approx(3.0 + 10 * 0.1)
    values, _ = optimizer.update(gradients, state, values, 0.1)
    assert float(values["q//alpha"]) == pytest.approx(4.0 + 10 * 0.1 * 1.9)
    with pytest.raises(RangeError, match=r"factors of \['w'\] must be positive"):
        scaled(sgd(), {"w": 0.0})


def test_curvature_is_the_denominator_of_adams_step():
    optimizer = adam(beta2=0.75, epsilon=0.5)
    values = {"w": np.array([1.0, -2.0])}
    state = optimizer.init(values)
    np.testing.assert_array_equal(optimizer.curvature(state)["w"], [0.5, 0.5])
    for gradient in ([4.0, 0.0], [0.0, 2.0]):
        _, state = optimizer.update({"w": np.array(gradient)}, state, values, 0.1)
    v = np.array([0.75 * 0.25 * 16, 0.25 * 4]) / (1 - 0.75**2)
    np.testing.assert_allclose(optimizer.curvature(state)["w"], np.sqrt(v) + 0.5)
    assert scaled(optimizer, {}).curvature(state).keys() == {"w"}
    assert sgd(momentum=0.9).curvature({"velocity/w": np.ones(2)}) == {}
