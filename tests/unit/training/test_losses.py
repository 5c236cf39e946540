import numpy as np
import pytest

from refq.errors import ShapeError
from refq.training import distillation, mean_squared_error, softmax_cross_entropy, squared_hinge

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
TEACHERS = (RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3)))
CASES = {
    "cross entropy": (softmax_cross_entropy, LABELS),
    "soft labels": (softmax_cross_entropy, RNG.dirichlet(np.ones(3), 4)),
    "mean squared error": (mean_squared_error, RNG.normal(size=(4, 3))),
    "squared hinge": (squared_hinge, LABELS),
    "distillation": (distillation(0.3, 0.7, 4.0), (LABELS, TEACHERS[0])),
    "two teachers": (distillation(0.3, 0.7, 4.0), (LABELS, *TEACHERS)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_equals_central_differences(name):
    loss, targets = CASES[name]
    _, slope = loss(LOGITS, targets)
    for place in np.ndindex(*LOGITS.shape):
        step = np.zeros_like(LOGITS)
        step[place] = 1e-6
        numeric = (loss(LOGITS + step, targets)[0] - loss(LOGITS - step, targets)[0]) / 2e-6
        assert slope[place] == pytest.approx(numeric, abs=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_gradient_keeps_single_precision(name):
    loss, targets = CASES[name]
    assert loss(LOGITS.astype(np.float32), targets)[1].dtype == np.float32


def test_values_by_hand():
    assert softmax_cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))[0] == pytest.approx(1000.0)
    assert squared_hinge(np.array([[0.5, -2.0]]), np.array([0]))[0] == pytest.approx(0.25)
    assert mean_squared_error(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))[0] == pytest.approx(2.5)


def test_distillation_is_the_labels_loss_plus_t_squared_times_the_soft_one():
    soft = np.exp(TEACHERS[0] / 2) / np.exp(TEACHERS[0] / 2).sum(axis=1, keepdims=True)
    logs = LOGITS / 2 - np.log(np.exp(LOGITS / 2).sum(axis=1, keepdims=True))
    expected = 0.5 * softmax_cross_entropy(LOGITS, LABELS)[0] + 3.0 * 4.0 * -(soft * logs).sum() / 4
    assert distillation(0.5, 3.0, 2.0)(LOGITS, (LABELS, TEACHERS[0]))[0] == pytest.approx(expected)


def test_targets_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"must be integers of shape \(4,\)"):
        softmax_cross_entropy(LOGITS, np.zeros(5, int))
    with pytest.raises(ShapeError, match=r"labels in \[0, 3\]"):
        softmax_cross_entropy(LOGITS, np.array([0, 1, 2, 3]))
