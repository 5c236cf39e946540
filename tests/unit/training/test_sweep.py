from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.layers.conv2d import Conv2D
from refq.quantizers.learning import Lsq, Moment
from refq.training import Network, forward, quantized, softmax_cross_entropy
from refq.transforms import fuse_activation
from tests.unit.small_graphs import images, residual

LABELS = np.array([0, 3, 1, 4, 2])


def loss_of(net, values, statistics, x, moment):
    tape = forward(net, values, statistics, {"x": x}, moment)
    value, slope = softmax_cross_entropy(tape.values[tape.seen("y")], LABELS)
    return value, tape.gradients({"y": slope}, (*values, "x"))


def clamped(graph, limits):
    nodes = [replace(node, clamp=limits) if node.name in ("add", "bn") else node for node in graph.nodes]
    return graph.with_nodes(nodes)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", ["plain", "fused", "clamped", "smooth"])
def test_gradients_of_a_branching_graph_equal_central_differences(training, variant):
    graph = residual(relu=variant != "smooth")
    graph = fuse_activation(graph) if variant == "fused" else graph
    graph = clamped(graph, (-0.4, 0.7)) if variant == "clamped" else graph
    net = Network(graph=graph)
    values, statistics = net.start(np.float64)
    x, moment = images(5).astype(np.float64), Moment(training=training, progress=0.0)
    _, slopes = loss_of(net, values, statistics, x, moment)
    assert {"conv/kernel", "bn/gamma", "bn/beta", "conv_1/kernel", "dense/kernel", "dense/bias"} <= set(values)
    rng, step = np.random.default_rng(0), 1e-6
    for name, value in [*values.items(), ("x", x)]:
        for place in rng.integers(0, value.size, 6):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved.reshape(-1)[place] += sign * step
                given = x if name != "x" else moved
                ends.append(loss_of(net, values | ({} if name == "x" else {name: moved}), statistics, given, moment)[0])
            numeric = (ends[0] - ends[1]) / (2 * step)
            assert slopes[name].reshape(-1)[place] == pytest.approx(numeric, rel=1e-4, abs=1e-7), (name, place)


def test_outside_training_the_sweep_gives_the_float_path_in_its_type():
    graph = residual()
    net = Network(graph=graph)
    values, statistics = net.start()
    tape = forward(net, values, statistics, {"x": images(3)}, Moment())
    np.testing.assert_array_equal(tape.values["y"], refq.run(graph, images(3)))
    slopes = tape.gradients({"y": np.ones((3, 5), np.float32)}, values)
    assert {slopes[name].dtype for name in values} == {np.dtype(np.float32)}


def test_running_averages_move_towards_the_batch_and_stop_when_frozen():
    graph = residual()
    net = Network(graph=graph, momentum=0.75, frozen_statistics=0.5)
    values, statistics = net.start(np.float64)
    x = images(4).astype(np.float64)
    tape = forward(net, values, statistics, {"x": x}, Moment(training=True, progress=0.4))
    before = tape.values["conv"]
    for name, seen in (("bn/mean", before.mean(axis=(0, 1, 2))), ("bn/variance", before.var(axis=(0, 1, 2)))):
        np.testing.assert_allclose(tape.statistics[name], 0.75 * statistics[name] + 0.25 * seen, rtol=1e-12)
    frozen = forward(net, values, statistics, {"x": x}, Moment(training=True, progress=0.5))
    assert frozen.statistics == {}
    plain = forward(net, values, statistics, {"x": x}, Moment())
    np.testing.assert_array_equal(frozen.values["y"], plain.values["y"])


def test_the_gradient_of_what_nobody_asks_for_is_not_computed(monkeypatch):
    """The first layer needs none of the images, unless they are asked for or rounded to learned steps."""
    graph = residual()
    asked = []
    original = Conv2D.input_grad
    monkeypatch.setattr(Conv2D, "input_grad", lambda self, dy, x, w: asked.append(len(w)) or original(self, dy, x, w))
    for net, more, expected in (
        (Network(graph=graph), (), 1),
        (Network(graph=graph), ("x",), 2),
        (Network(graph=graph), ("act",), 1),
        (Network(graph=graph, quantizers={"x": Lsq(bits=4)}), ("x//step",), 2),
        (Network(graph=graph, frozen=frozenset(graph.constants) - {"dense/kernel"}), (), 0),
    ):
        values, statistics = net.start()
        tape = forward(net, values, statistics, {"x": images(3)}, Moment(training=True, progress=0.0))
        asked.clear()
        slopes = tape.gradients({"y": np.ones((3, 5), np.float32)}, (*values, *more))
        assert len(asked) == expected
        assert set(slopes) == {*values, *more}


@pytest.mark.parametrize("rules", [{}, {"weights": Lsq(bits=2), "activations": Lsq(bits=2, nonnegative=True)}])
def test_a_step_in_single_precision_holds_no_double_anywhere(rules):
    net, x = quantized(residual(), images(8), **rules), images(8)
    values, statistics = net.start()
    started = forward(net, values, statistics, {"x": x}, Moment()).started
    statistics |= {name: value for name, value in started.items() if name.split("//")[1] in ("low", "high")}
    values |= {name: np.asarray(value) for name, value in started.items() if name not in statistics}
    tape = forward(net, values, statistics, {"x": x}, Moment(training=True, progress=0.0))
    keys = {key for read, written, _ in tape.steps for key in (*read, *written) if key}
    slopes = tape.gradients({"y": np.ones((8, 5), np.float32)}, keys)
    assert set(values) <= set(slopes)
    arrays = [*tape.values.values(), *slopes.values(), *tape.statistics.values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
