from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import GraphError
from refq.graph import TensorSpec
from refq.layers.conv2d import Conv2D
from refq.quantizers.learning import Latent, Moment, SignWeights
from refq.training import Network, clip_latent, constant, fit, forward, proximal, quantized
from refq.training.folding import Folding, fold_batch, foldings
from refq.transforms import fold_batchnorm
from tests.unit.training.test_quantized import chain, task


def case(seed=0):
    rng = np.random.default_rng(seed)
    held = {"kernel": rng.normal(0, 0.4, (3, 2, 2, 2)), "gamma": rng.uniform(0.5, 2, 3), "beta": rng.normal(size=3)}
    start = held | {"mean": rng.normal(size=3), "variance": rng.uniform(0.5, 2, 3)}
    folding = Folding(weight="w", bias="b", epsilon=1e-3, axis=0, **start)
    return folding, Conv2D(), rng.normal(size=(5, 4, 4, 2)), held, rng.normal(size=(5, 3, 3, 3))


def normalized(layer, x, kernel, gamma, beta):
    """The layer and batch normalization one after the other, of the textbook."""
    y = layer.forward(x, kernel)
    mean, variance = y.mean(axis=(0, 1, 2)), y.var(axis=(0, 1, 2))
    return gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta


def test_folding_with_the_statistics_of_the_batch_is_batch_normalization():
    folding, layer, x, held, _ = case()
    batch = fold_batch(folding, layer, x, **held)
    np.testing.assert_allclose(layer.forward(x, batch.weight, batch.bias), normalized(layer, x, **held), atol=1e-12)
    y = layer.forward(x, held["kernel"])
    np.testing.assert_allclose(batch.mean, y.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(batch.variance, y.var(axis=(0, 1, 2)))


def test_gradients_reach_kernel_and_input_through_the_statistics_too():
    folding, layer, x, held, dy = case()
    batch = fold_batch(folding, layer, x, **held)
    dx, dw, db = layer.grad(dy, x, batch.weight, batch.bias)
    more, *slopes = batch.pull(dw, db)
    found = {"x": dx + more} | dict(zip(held, slopes, strict=True))
    inputs = {"x": x} | held
    for name, value in inputs.items():
        for place in list(np.ndindex(*value.shape))[::3]:
            step = np.zeros(value.shape)
            step[place] = 1e-6
            ends = [(normalized(layer, **(inputs | {name: value + d})) * dy).sum() for d in (step, -step)]
            assert found[name][place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-7), name


def test_gradients_of_running_averages_by_hand():
    folding, *_ = case()
    kernel, gamma = np.array([[[[2.0]]]]), np.array([3.0])
    dw, db, mean, variance = np.array([[[[5.0]]]]), np.array([7.0]), np.array([0.5]), np.array([4.0 - 1e-3])
    dkernel, dgamma, dbeta, dmean, dvariance = folding.pull(dw, db, kernel, gamma, mean, variance)
    # a = 3 / 2; da = 5 * 2 - 0.5 * 7 = 6.5; dgamma = da / 2; dvariance = -da * 3 / (2 * 8)
    assert (dkernel.item(), dgamma.item(), dbeta.item(), dmean.item()) == (7.5, 3.25, 7.0, -10.5)
    assert dvariance.item() == pytest.approx(-6.5 * 3 / 16)


def with_bias(graph):
    """The second convolution has a bias in front of its normalization."""
    nodes = [replace(n, inputs=(*n.inputs, "conv1/bias")) if n.name == "conv1" else n for n in graph.nodes]
    constants = {**graph.constants, "conv1/bias": np.linspace(-1, 1, 6).astype(np.float32)}
    tensors = {**graph.tensors, "conv1/bias": TensorSpec(name="conv1/bias", shape=(6,))}
    return graph.with_nodes(nodes, tensors=tensors, constants=constants)


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_a_network_folded_at_every_step_computes_and_differentiates_as_one_that_normalizes(progress):
    graph = with_bias(chain())
    x, _ = task(24)
    plain = Network(graph=graph, frozen_statistics=0.5)
    base = fold_batchnorm(graph)
    folded = Network(graph=base, folded=foldings(graph, base), frozen_statistics=0.5)
    moment = Moment(training=True, progress=progress)
    tapes = [forward(net, *net.start(np.float64), {"x": x.astype(float)}, moment) for net in (plain, folded)]
    np.testing.assert_allclose(tapes[0].values["y"], tapes[1].values["y"], rtol=1e-6)
    dy = np.random.default_rng(1).normal(size=(24, 3))
    networks = (plain, folded)
    slopes = [tape.gradients({"y": dy}, net.start()[0]) for tape, net in zip(tapes, networks, strict=True)]
    for i in range(3):
        pairs = {f"conv{i}/kernel": f"conv{i}/kernel/kernel"}
        pairs |= {f"bn{i}/{part}": f"conv{i}/kernel/{part}" for part in ("gamma", "beta")}
        for name, other in pairs.items():
            np.testing.assert_allclose(slopes[0][name], slopes[1][other], rtol=1e-6, atol=1e-8)
        for part in ("mean", "variance") if progress == 0 and i != 1 else ():  # a bias moves the mean
            moved = (tapes[0].statistics[f"bn{i}/{part}"], tapes[1].statistics[f"conv{i}/kernel/{part}"])
            np.testing.assert_allclose(*moved, rtol=1e-6)


def test_statistics_move_until_they_freeze_and_the_folded_graph_holds_them(tmp_path):
    x, y = task()
    net = quantized(chain(), x[:32], fold="always", frozen_statistics=0.5)
    whole = fit(net, (x, y), epochs=4, batch_size=16, schedule=constant(0.02))
    early = fit(net, (x, y), epochs=4, batch_size=16, schedule=constant(0.02), until=2, checkpoint=tmp_path / "a.npz")
    for name in ("mean", "variance"):
        key = f"conv1/kernel/{name}"
        np.testing.assert_array_equal(early.state.statistics[key], whole.state.statistics[key])
    assert not np.array_equal(early.state.values["conv1/kernel/gamma"], whole.state.values["conv1/kernel/gamma"])
    again = fit(net, (x, y), epochs=4, batch_size=16, schedule=constant(0.02), checkpoint=tmp_path / "a.npz")
    for name, array in whole.graph.constants.items():
        np.testing.assert_array_equal(again.graph.constants[name], array)
    gamma, variance = whole.state.values["conv1/kernel/gamma"], whole.state.statistics["conv1/kernel/variance"]
    factor = gamma / np.sqrt(variance + 1e-3)
    expected = whole.state.values["conv1/kernel/kernel"] * factor[:, None, None, None]
    np.testing.assert_allclose(whole.graph.constants["conv1/kernel"], expected, rtol=1e-5)
    assert [node.op for node in whole.graph.nodes] == ["Conv2D"] * 3 + ["Mean", "Dense"]
    assert (refq.run(whole.graph, x, path="integer").argmax(1) == y).mean() > 0.5


def test_latent_weights_behind_a_fold_are_clipped_and_penalties_on_their_levels_are_refused():
    x, y = task()
    net = quantized(chain(), x[:32], weights=SignWeights(), fold="always")
    trained = fit(net, (x, y), epochs=2, batch_size=16, schedule=constant(0.5), project=clip_latent(net, 0.25))
    assert np.abs(trained.state.values["conv1/kernel/kernel"]).max() == 0.25
    net = quantized(chain(), x[:32], weights=Latent(), fold="always")
    with pytest.raises(GraphError, match="are folded at every step"):
        proximal(net, 0.1)({}, 0.5)
