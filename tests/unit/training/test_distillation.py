import numpy as np
import pytest

import refq
from refq.errors import GraphError, ShapeError
from refq.quantizers.learning import Lsq
from refq.training import (
    adam,
    constant,
    distill,
    distillation,
    fit,
    mean_squared_error,
    quantized,
    self_distill,
    softmax_cross_entropy,
)
from tests.unit.training.test_quantized import chain, task


def softened(logits, temperature):
    powers = np.exp(logits / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def test_two_teachers_count_by_the_mean_of_their_soft_answers():
    x, y = task(12)
    teachers = [chain(1), chain(2)]
    lesson = distill(teachers, x, y, alpha=0.3, beta=0.7, temperature=3.0)
    assert lesson["data"][0] is x
    labels, *answers = lesson["data"][1]
    np.testing.assert_array_equal(labels, y)
    for teacher, logits in zip(teachers, answers, strict=True):
        np.testing.assert_array_equal(logits, refq.run(teacher, x))
    z = np.random.default_rng(0).normal(size=(12, 3))
    wanted = np.mean([softened(logits.astype(float), 3.0) for logits in answers], axis=0)
    soft = -(wanted * np.log(softened(z, 3.0))).sum() / 12
    found, _ = lesson["loss"](z, lesson["data"][1])
    assert found == pytest.approx(0.3 * softmax_cross_entropy(z, y)[0] + 0.7 * 9 * soft, rel=1e-6)


def test_features_of_several_teachers_are_all_heard_and_their_gradients_add_up():
    x, y = task(12)
    lesson = distill([chain(1), chain(2)], x, y, features={"relu1": "relu2"}, weight=0.8)
    assert lesson["reads"] == ("relu1", "relu1")
    z, mine = np.zeros((12, 3)), np.random.default_rng(0).normal(size=(12, 6, 6, 6))
    value, slopes = lesson["loss"]((z, mine, mine), lesson["data"][1])
    alone, _ = distillation(0.5, 0.5, 4.0)(z, lesson["data"][1][:3])
    hints = [refq.trace(teacher, x)["relu2"] for teacher in (chain(1), chain(2))]
    expected = [mean_squared_error(mine, hint) for hint in hints]
    assert value == pytest.approx(alone + 0.4 * sum(distance for distance, _ in expected), rel=1e-6)
    np.testing.assert_allclose(slopes[1] + slopes[2], 0.4 * sum(slope for _, slope in expected), rtol=1e-5)
    # a step of the run moves by the sum: its loss falls though each hint is read under the same name
    trained = fit(chain(), epochs=6, batch_size=12, optimizer=adam(), schedule=constant(0.01), **lesson)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


def test_a_tensor_read_twice_gets_both_gradients():
    x, y = task(24)

    def pulling(*shares):
        def loss(outputs, targets):
            slopes = (np.full_like(part, share) for part, share in zip(outputs[1:], shares, strict=True))
            return 0.0, (np.zeros_like(outputs[0]), *slopes)

        names = ("relu0",) * len(shares)
        run = fit(chain(), (x, y), epochs=1, batch_size=24, loss=loss, reads=names, schedule=constant(1e-3))
        return run.state.values["conv0/kernel"]

    np.testing.assert_allclose(pulling(1.0, 2.0), pulling(3.0), rtol=1e-6)


def test_a_network_learns_from_its_float_self_what_the_labels_do_not_say():
    x, y = task(96)
    teacher = fit(chain(), (x, y), epochs=8, batch_size=16, optimizer=adam(), schedule=constant(0.01)).graph
    settings = {"epochs": 6, "batch_size": 16, "optimizer": adam(), "schedule": constant(3e-3)}
    net = quantized(teacher, x[:32], weights=Lsq(bits=2), activations=Lsq(bits=2, nonnegative=True))
    lesson = self_distill(teacher, x, y, features=("relu1",), weight=5.0, temperature=2.0)
    heard, alone = fit(net, **lesson, **settings).graph, fit(net, (x, y), **settings).graph
    wanted = refq.trace(teacher, x)

    def distances(graph):
        found = refq.trace(graph, x, path="fake")
        return [((found[name] - wanted[name]) ** 2).mean() for name in ("y", "relu1")]

    assert distances(heard)[0] < distances(alone)[0]
    assert distances(heard)[1] < distances(alone)[1]


def test_what_is_missing_is_named():
    x, y = task(12)
    with pytest.raises(GraphError, match="needs a teacher"):
        distill([], x, y)
    with pytest.raises(GraphError, match=r"has no tensors \['relu9'\]"):
        distill([chain()], x, y, features={"relu1": "relu9"})
    with pytest.raises(ShapeError, match="there are labels only"):
        distillation()(np.zeros((2, 3)), (np.array([0, 1]),))
