from dataclasses import replace
from itertools import pairwise
from math import tanh

import numpy as np
import pytest

import refq
from models.train import digits
from refq.errors import GraphError, RangeError
from refq.graph import Node
from refq.quantizers.learning import clipped
from refq.training import Network, adam, constant, fit, fit_difference_targets, softmax_cross_entropy
from refq.training.difference_targets import SignLayer, inverse_gradients, sign_layers, target_gradients
from tests.unit.small_graphs import assemble

HIDDEN, LAST = [SignLayer("w1", "b1"), SignLayer("w2", "b2")], SignLayer("w3", "b3")


def network(sizes, seed=0):
    """Dense layers with signs between them."""
    rng = np.random.default_rng(seed)
    nodes, constants, shapes, x = [], {}, {"x": (1, sizes[0])}, "x"
    last = len(sizes) - 1
    for i, (before, after) in enumerate(pairwise(sizes), 1):
        z = "y" if i == last else f"z{i}"
        constants |= {f"w{i}": rng.normal(0, before**-0.5, (after, before)).astype(np.float32)}
        constants |= {f"b{i}": np.zeros(after, np.float32)}
        nodes.append(Node(op="Dense", name=f"dense{i}", inputs=(x, f"w{i}", f"b{i}"), outputs=(z,)))
        nodes.append(Node(op="Binarize", name=f"sign{i}", inputs=(z,), outputs=(f"s{i}",)))
        shapes |= {z: (1, after), f"s{i}": (1, after)}
        x = f"s{i}"
    del shapes[x]
    return assemble(nodes[:-1], shapes, constants)


def test_targets_and_their_gradients_by_hand():
    values = {"w1": [[0.5]], "b1": [0.0], "w2": [[-0.3]], "b2": [0.1], "w3": [[2.0], [0.0]], "b3": [0.0, 0.0]}
    values |= {"w2//inverse": [[0.8]], "w2//inverse bias": [0.05]}
    values = {name: np.array(value) for name, value in values.items()}
    h1, h2 = tanh(0.5), tanh(-0.2)

    def slopes(dy):
        return target_gradients(values, HIDDEN, LAST, np.ones((1, 1)), None, lambda y, t: (0.0, np.array([dy])), 3.0)[1]

    held = slopes([0.25, 0.0])  # target h2 - 3 * 0.5 has the sign of h2: nothing to change below
    assert held["w2"].item() == pytest.approx(2 * 1.5 * (1 - h2**2))
    assert held["w1"].item() == 0
    turned = slopes([-0.25, 0.0])  # target h2 + 1.5 has the other sign
    difference = tanh(0.8 + 0.05) - tanh(-0.8 + 0.05)
    assert turned["w2"].item() == pytest.approx(2 * -1.5 * (1 - h2**2))
    assert turned["w1"].item() == pytest.approx(2 * -difference * (1 - h1**2))
    assert turned["b1"].item() == turned["w1"].item()
    np.testing.assert_allclose(turned["w3"], [[0.25], [0.0]])  # the unit in front is -1


def random_values(rng):
    shapes = {"w1": (4, 3), "b1": (4,), "w2": (5, 4), "b2": (5,), "w3": (2, 5), "b3": (2,)}
    shapes |= {"w2//inverse": (4, 5), "w2//inverse bias": (4,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


def differences(function, value, step=1e-6):
    found = np.zeros(value.shape)
    for place in np.ndindex(*value.shape):
        moved = np.zeros(value.shape)
        moved[place] = step
        found[place] = (function(value + moved) - function(value - moved)) / (2 * step)
    return found


def test_layers_have_the_gradient_of_their_distance_from_targets():
    rng = np.random.default_rng(0)
    values, x, labels = random_values(rng), rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
    _, slopes = target_gradients(values, HIDDEN, LAST, x, labels, softmax_cross_entropy, 2.0)
    h1 = np.tanh(x @ values["w1"].T + values["b1"])
    h2 = np.tanh(sign(h1) @ values["w2"].T + values["b2"])
    y = sign(h2) @ values["w3"].T + values["b3"]
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True) - np.eye(2)[labels]
    t2 = h2 - 2.0 * p @ values["w3"]
    back = [np.tanh(sign(v) @ values["w2//inverse"].T + values["w2//inverse bias"]) for v in (t2, h2)]
    t1 = h1 + back[0] - back[1]
    assert not np.array_equal(t1, h1)

    def distance(weight, seen, bias, target):
        return ((np.tanh(seen @ weight.T + bias) - target) ** 2).sum() / 7

    for name, seen, bias, target in (("w1", x, "b1", t1), ("w2", sign(h1), "b2", t2)):
        expected = differences(lambda w, a=(seen, values[bias], target): distance(w, *a), values[name])
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-5, atol=1e-8)
        expected = differences(lambda b, a=(name, seen, target): distance(values[a[0]], a[1], b, a[2]), values[bias])
        np.testing.assert_allclose(slopes[bias], expected, rtol=1e-5, atol=1e-8)


def test_inverses_have_the_gradient_of_what_they_fail_to_bring_back():
    rng = np.random.default_rng(1)
    values, x = random_values(rng), rng.normal(size=(6, 3))
    slopes = inverse_gradients(values, HIDDEN, x, 0.3, np.random.default_rng(5))
    assert set(slopes) == {"w2//inverse", "w2//inverse bias"}
    u = np.tanh(x @ values["w1"].T + values["b1"]) + 0.3 * np.random.default_rng(5).standard_normal((6, 4))
    outputs = sign(np.tanh(sign(u) @ values["w2"].T + values["b2"]))

    def distance(weight, bias):
        return ((np.tanh(outputs @ weight.T + bias) - u) ** 2).sum() / 6

    weight, bias = values["w2//inverse"], values["w2//inverse bias"]
    expected = differences(lambda w: distance(w, bias), weight)
    np.testing.assert_allclose(slopes["w2//inverse"], expected, rtol=1e-5, atol=1e-8)
    expected = differences(lambda b: distance(weight, b), bias)
    np.testing.assert_allclose(slopes["w2//inverse bias"], expected, rtol=1e-5, atol=1e-8)


def test_hidden_layers_of_signs_learn_what_the_last_layer_alone_cannot():
    (x, y), _ = digits()
    x, y = x.reshape(-1, 64), y
    graph = network((64, 32, 32, 10))
    settings = {"epochs": 12, "batch_size": 32, "schedule": constant(0.003)}
    trained = fit_difference_targets(graph, (x, y), **settings)
    again = fit_difference_targets(graph, (x, y), **settings)
    assert all(np.array_equal(again.graph.constants[n], array) for n, array in trained.graph.constants.items())
    held = frozenset(graph.constants) - {"w3", "b3"}
    top = fit(Network(graph=graph, surrogates={"Binarize": clipped}, frozen=held), (x, y), optimizer=adam(), **settings)
    found, alone = ((refq.run(g.graph, x).argmax(axis=1) == y).mean() for g in (trained, top))
    assert found > alone + 0.1
    assert not np.array_equal(trained.graph.constants["w1"], graph.constants["w1"])
    codes = refq.run(refq.quantize(trained.graph, x), x, path="integer").argmax(axis=1)
    assert (codes == y).mean() > 0.75


def test_other_graphs_and_settings_are_named():
    x, y = np.zeros((4, 2), np.float32), np.zeros(4, np.int64)
    graph = network((2, 4, 4, 2))
    assert [layer.weight for layer in sign_layers(graph)[0]] == ["w1", "w2"]
    real = graph.with_nodes([replace(node, op="Relu") if node.op == "Binarize" else node for node in graph.nodes])
    with pytest.raises(GraphError, match="is no chain of Dense and Binarize"):
        fit_difference_targets(real, (x, y), epochs=1)
    with pytest.raises(RangeError, match=r"step=0\.0 positive"):
        fit_difference_targets(graph, (x, y), epochs=1, step=0.0)
