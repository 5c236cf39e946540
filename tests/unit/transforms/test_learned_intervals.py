import numpy as np
import pytest

import refq
from refq.errors import GraphError, RangeError, ShapeError
from refq.layers.interval import Interval
from refq.quantizers.learning import Moment, QilWeights, UnitActivations
from refq.training import adam, constant, fit, quantized
from refq.transforms import learned_intervals
from tests.unit.small_graphs import images, residual
from tests.unit.training.test_quantized import chain, task


def test_a_learned_interval_of_activations_by_hand():
    x, limits = np.array([[0.4, 0.7, 1.2, 1.6]]), (np.array(1.0), np.array(0.5))
    inside = Interval().forward(x, *limits)  # from 1/2 to 3/2
    np.testing.assert_allclose(inside, [[0, 0.2, 0.7, 1]], atol=1e-12)
    y, pull, _ = UnitActivations(bits=2).apply(inside, None, {}, Moment())
    np.testing.assert_allclose(y, [[0, 1 / 3, 2 / 3, 1]], rtol=1e-6)
    dx, dcentre, ddistance = Interval().grad(pull(np.array([[1.0, 2.0, 4.0, 4.0]]))[0], x, *limits)
    np.testing.assert_allclose(dx, [[0, 2, 4, 0]])  # 1 / (2 d) = 1
    assert float(dcentre) == pytest.approx(-(2 + 4))
    assert float(ddistance) == pytest.approx(-(2 * (0.7 - 1) + 4 * (1.2 - 1)) / 0.5)


def test_an_interval_stands_in_front_of_every_inner_layer_behind_a_relu():
    graph = learned_intervals(1.5)(chain())
    assert [node.name for node in graph.nodes if node.op == "Interval"] == ["conv1/interval", "conv2/interval"]
    traced = refq.trace(graph, images(3), path="float")
    np.testing.assert_allclose(traced["conv1/interval"], np.clip(traced["relu0"] / 1.5, 0, 1), atol=1e-6)
    with pytest.raises(GraphError, match="no ReLU in front of an inner layer"):
        learned_intervals()(residual(relu=False))
    with pytest.raises(RangeError, match=r"high=0\.0 must be positive"):
        learned_intervals(0.0)
    with pytest.raises(ShapeError, match="must be single numbers"):
        Interval().infer_shape((1, 4), (4,), ())


def test_limits_are_trained_and_deployed():
    x, y = task()
    rules = {"weights": QilWeights(bits=2), "activations": UnitActivations(bits=2), "inputs": learned_intervals()}
    net = quantized(chain(), x[:32], **rules)
    trained = fit(net, (x, y), epochs=2, batch_size=16, optimizer=adam(), schedule=constant(0.02))
    assert len(net.trained) == 4
    assert all(trained.graph.constants[name] != net.graph.constants[name] for name in net.trained)
    codes = refq.trace(trained.graph, x, path="integer")["conv1/interval"]
    assert len(np.unique(codes)) <= 4
