from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

import refq
from refq.graph import Node
from refq.interpret import node_function
from refq.numerics import LITERT
from refq.quantizers import ABCWeights
from refq.quantizers.apply import dequantize_array
from refq.quantizers.learning import (
    FittedLevelWeights,
    Lsq,
    LsqPlus,
    Moment,
    Pact,
    QilWeights,
    Relaxed,
    ScaledSignWeights,
    SignWeights,
    SoftSteps,
    StochasticSign,
    StraightThrough,
    TernaryActivations,
    TernaryWeights,
    TrainedTernaryWeights,
    UnitActivations,
    WaveWeights,
    clipped,
    target_propagation,
    within,
)
from refq.training import (
    adam,
    clip_latent,
    constant,
    fit,
    forward,
    glorot_factors,
    learned_intervals,
    quantized,
    residual_signs,
    scaled_signs,
    shifted_signs,
    without_relu,
)
from tests.unit.small_graphs import assemble, images

METHODS = {
    "8 bits": {},
    "8 bits, folded": {"fold": "once"},
    "8 bits, folded at every step": {"fold": "always"},
    "lsq": {"weights": Lsq(bits=3), "activations": Lsq(bits=3, nonnegative=True)},
    "lsq, folded": {"weights": Lsq(bits=3), "activations": Lsq(bits=3, nonnegative=True), "fold": "once"},
    "lsq, folded at every step": {
        "weights": Lsq(bits=3),
        "activations": Lsq(bits=3, nonnegative=True),
        "fold": "always",
    },
    "pact": {"weights": StraightThrough(), "activations": Pact(bits=2)},
    "ternary": {"weights": TernaryWeights()},
    "lsq+": {"weights": Lsq(bits=3, initial="deviation"), "activations": LsqPlus(bits=3)},
    "soft steps": {"weights": SoftSteps(bits=3), "activations": SoftSteps(bits=3)},
    "relaxed": {"weights": Relaxed(bits=2)},
    "learned widths": {"weights": WaveWeights(bits=2.5)},
    "trained ternary": {"weights": TrainedTernaryWeights()},
    "binary weights": {"weights": ScaledSignWeights()},
    "binary, targets": {"weights": ScaledSignWeights(), "sign": target_propagation()},
    "binary, drawn": {"weights": ScaledSignWeights(), "sign": StochasticSign(steepness=4.0)},
    "binary": {"weights": SignWeights(), "sign": clipped},
    "xnor-net with its map of scales": {"weights": ScaledSignWeights(), "sign": clipped, "inputs": scaled_signs},
    "horq": {"weights": ScaledSignWeights(), "sign": clipped, "inputs": residual_signs(2)},
    "abc-net": {
        "weights": FittedLevelWeights(levels=ABCWeights(bits=2)),
        "sign": within(0.5),
        "inputs": shifted_signs(2),
    },
    "qil": {
        "weights": QilWeights(bits=3),
        "activations": UnitActivations(bits=3),
        "inputs": learned_intervals(2.0),
    },
    "tbn": {"weights": ScaledSignWeights(), "activations": TernaryActivations(), "inputs": without_relu},
    "everything at 2 bits": {"weights": Lsq(bits=2), "activations": Lsq(bits=2, nonnegative=True), "whole": True},
}


def chain(seed=0):
    """Three convolutions with normalization and ReLU, a mean, a dense layer."""
    rng = np.random.default_rng(seed)
    constants, nodes, shapes, x, channels = {}, [], {"x": (1, 6, 6, 3)}, "x", 3
    for i in range(3):
        names = [f"bn{i}/{kind}" for kind in ("gamma", "beta", "mean", "variance")]
        constants[f"conv{i}/kernel"] = rng.normal(0, 0.3, (6, 3, 3, channels)).astype(np.float32)
        constants |= dict(zip(names, rng.uniform(0.5, 1, (4, 6)).astype(np.float32), strict=True))
        nodes += [
            Node(
                op="Conv2D",
                name=f"conv{i}",
                inputs=(x, f"conv{i}/kernel"),
                outputs=(f"conv{i}",),
                attrs={"padding": "same"},
            ),
            Node(op="BatchNormalization", name=f"bn{i}", inputs=(f"conv{i}", *names), outputs=(f"bn{i}",)),
            Node(op="Relu", name=f"relu{i}", inputs=(f"bn{i}",), outputs=(f"relu{i}",)),
        ]
        x, channels = f"relu{i}", 6
        shapes |= dict.fromkeys((f"conv{i}", f"bn{i}", x), (1, 6, 6, 6))
    constants["dense/kernel"] = rng.normal(0, 0.3, (3, 6)).astype(np.float32)
    constants["dense/bias"] = np.zeros(3, np.float32)
    nodes += [
        Node(op="Mean", name="mean", inputs=(x,), outputs=("mean",), attrs={"axes": (1, 2)}),
        Node(op="Dense", name="dense", inputs=("mean", "dense/kernel", "dense/bias"), outputs=("y",)),
    ]
    return assemble(nodes, shapes | {"mean": (1, 6), "y": (1, 3)}, constants)


def task(count=96):
    """Which channel is brighter than the others, by half of their noise."""
    x, y = images(count), np.arange(count) % 3
    x[np.arange(count), :, :, y] += 0.5
    return x, y


@pytest.mark.parametrize("method", METHODS)
def test_the_trained_graph_runs_on_grids_without_losing_a_bit(method):
    x, y = task()
    net = quantized(chain(), x[:32], **METHODS[method])
    trained = fit(net, (x, y), epochs=2, batch_size=16, schedule=constant(0.02))
    state = trained.state
    tape = forward(net, state.values, state.statistics, {"x": x}, Moment())
    fake = refq.trace(trained.graph, x, path="fake")
    for name, array in fake.items():
        np.testing.assert_array_equal(array, tape.values[tape.seen(name)], err_msg=name)
    codes = refq.trace(trained.graph, x, path="integer")
    step = node_function(trained.graph, "fake", LITERT)
    for node in trained.graph.nodes:
        grids = {name: trained.graph.tensors[name].qparams for name in (*node.inputs, *node.outputs)}
        inputs = [
            dequantize_array(codes[name], grids[name]) if name in codes else tape.values[tape.seen(name)]
            for name in node.inputs
        ]
        out = grids[node.output]
        real = dequantize_array(codes[node.output], out)
        difference = np.abs(step(node, inputs)[0] - real) / out.scale
        assert difference.max() <= (2 if out.is_binary else 1) + 0.01, node.name  # float32 at 2**15 steps
    agree = (refq.run(trained.graph, x, path="integer").argmax(1) == fake["y"].argmax(1)).mean()
    assert agree > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method):
    x, y = task(240)
    net = quantized(chain(), x[:32], **METHODS[method])
    project = clip_latent(net) if method == "binary" else None
    rate = constant(0.01)
    trained = fit(net, (x, y), epochs=8, batch_size=16, optimizer=adam(), schedule=rate, project=project)
    assert (refq.run(trained.graph, x, path="fake").argmax(axis=1) == y).mean() > 0.7


def test_learned_values_move_and_weights_stay_in_the_interval():
    x, y = task()
    net = quantized(chain(), x[:32], weights=SignWeights(), activations=Lsq(bits=4, nonnegative=True))
    trained = fit(net, (x, y), epochs=3, batch_size=16, schedule=constant(0.5), project=clip_latent(net))
    steps = [name for name in trained.state.values if name.endswith("//step")]
    assert len(steps) == 2
    first = fit(net, (x, y), epochs=1, until=0, batch_size=16).state.values
    assert all(not np.array_equal(first[name], trained.state.values[name]) for name in steps)
    kernels = [name for name in trained.state.values if name.endswith("kernel")]
    assert max(np.abs(trained.state.values[name]).max() for name in kernels) <= 1
    assert any(np.abs(trained.state.values[name]).max() == 1 for name in kernels)


def test_a_quantized_run_resumes_with_the_same_bits(tmp_path):
    x, y = task()
    net = quantized(chain(), x[:32], weights=Lsq(bits=2), activations=Pact(bits=2))
    whole = fit(net, (x, y), epochs=3, batch_size=16)
    fit(net, (x, y), epochs=3, batch_size=16, checkpoint=tmp_path / "run.npz", until=1)
    parts = fit(net, (x, y), epochs=3, batch_size=16, checkpoint=tmp_path / "run.npz")
    for part in ("values", "statistics", "optimizer"):
        found, expected = getattr(parts.state, part), getattr(whole.state, part)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_thresholds_and_scales_of_several_bases_are_trained_on_their_grids():
    x, y = task()
    net = quantized(chain(), x[:32], sign=within(0.5), inputs=shifted_signs(2))
    assert net.trained == {f"conv{i}/{kind}{n}" for i in (1, 2) for kind in ("shift", "scale") for n in (1, 2)}
    trained = fit(net, (x, y), epochs=2, batch_size=16, optimizer=adam(), schedule=constant(0.01))
    for name in net.trained:
        assert trained.state.values[name] != net.graph.constants[name]
        grid = trained.graph.tensors[name].qparams
        assert float(grid.scale) * 127 == pytest.approx(abs(float(trained.state.values[name])), rel=1e-6)


@pytest.mark.parametrize("deployed", ["signs", "reals"])
def test_statistics_are_taken_anew_from_the_weights_that_are_deployed(deployed):
    x, y = task()
    net = quantized(chain(), x[:32], weights=SignWeights(stochastic=True, deployed=deployed))
    settings = {"epochs": 2, "batch_size": len(x), "optimizer": adam(), "schedule": constant(0.01)}

    def apart(graph):
        """Largest difference between held and measured variances, in parts of the measured ones."""
        traced = refq.trace(graph, x, path="fake")
        measured = [traced[f"conv{i}"].var(axis=(0, 1, 2)) for i in (1, 2)]
        held = [graph.constants[f"bn{i}/variance"] for i in (1, 2)]
        return max(np.abs(h / m - 1).max() for h, m in zip(held, measured, strict=True))

    assert apart(fit(net, (x, y), **settings).graph) > 0.2
    assert apart(fit(net, (x, y), **settings, collect=True).graph) < 0.02
    halves = fit(net, (x, y), **settings | {"batch_size": len(x) // 2}, collect=True).graph
    np.testing.assert_allclose(
        halves.constants["bn0/mean"], refq.trace(halves, x, path="fake")["conv0"].mean(axis=(0, 1, 2)), atol=1e-5
    )
    stopped = fit(net, (x, y), **settings, until=1, collect=True).state.statistics
    np.testing.assert_array_equal(
        stopped["bn1/variance"], fit(net, (x, y), **settings, until=1).state.statistics["bn1/variance"]
    )


def test_steps_of_weights_in_plus_minus_one_are_longer_by_the_size_of_usual_weights():
    net = quantized(chain(), images(32), weights=SignWeights())
    # 6 filters of 3 x 3 x 6: 54 weights an output, and 54 an input
    assert glorot_factors(net) == pytest.approx(dict.fromkeys(("conv1/kernel", "conv2/kernel"), sqrt(108 / 1.5)))
    assert glorot_factors(net, power=2)["conv1/kernel"] == pytest.approx(108 / 1.5)


def swish():
    """The same chain behind swish."""
    graph = chain()
    return graph.with_nodes([replace(node, op="Swish") if node.op == "Relu" else node for node in graph.nodes])


@pytest.mark.parametrize("rule", [LsqPlus(bits=2), Lsq(bits=2), SoftSteps(bits=2)])
def test_rules_with_levels_below_zero_stand_behind_any_function(rule):
    x, _ = task(32)
    net = quantized(swish(), x, activations=rule)
    assert [name for name, held in net.quantizers.items() if held is rule] == ["relu0", "relu1"]


@pytest.mark.parametrize("rule", [Pact(bits=2), Lsq(bits=2, nonnegative=True)])
def test_rules_without_them_stand_behind_relu_only(rule):
    x, _ = task(32)
    assert all(held is not rule for held in quantized(swish(), x, activations=rule).quantizers.values())
    found = quantized(chain(), x, activations=rule).quantizers
    assert [name for name, held in found.items() if held is rule] == ["relu0", "relu1"]


def test_learned_values_start_on_as_many_samples_as_are_asked_for():
    x, y = task(96)
    rule = LsqPlus(bits=2)
    net = quantized(swish(), x[:32], activations=rule)
    found = {}
    for count in (16, 80):
        state = fit(net, (x, y), epochs=1, until=0, batch_size=16, start_samples=count).state
        tape = forward(net, state.values, state.statistics, {"x": x[:count]}, Moment())
        expected = rule.start(tape.values["relu0"], None)
        for name, value in expected.items():
            assert float(state.values[f"relu0//{name}"]) == pytest.approx(float(value), rel=1e-6)
        found[count] = float(state.values["relu0//step"])
    assert found[16] != found[80]
    default = fit(net, (x, y), epochs=1, until=0, batch_size=16).state
    assert float(default.values["relu0//step"]) == found[16]
