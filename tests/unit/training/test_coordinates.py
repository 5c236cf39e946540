from itertools import product

import numpy as np
import pytest

import refq
from refq.errors import GraphError, RangeError
from refq.graph import Node, QParams
from refq.layers import layer_for
from refq.quantizers.apply import dequantize_array, fake_quantize
from refq.quantizers.learning import Lsq
from refq.training import coordinate_descent, fit, quantized
from refq.training.coordinates import descend
from tests.unit.small_graphs import assemble, images
from tests.unit.training.test_quantized import chain, task


def error(rows, wanted, scale, codes):
    return ((rows @ (scale * np.asarray(codes, float)) - wanted) ** 2).sum()


def test_one_code_moves_to_the_vertex_of_its_parabola_by_hand():
    rows, wanted = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([3.0, 2.0])
    # from (0, 0) at scale 1: the first code's best is 3 (error 4); then the second: residual (0, 2), 2 / 5 rounds to 0
    found = descend(rows.T @ rows, rows.T @ wanted[:, None], np.zeros((2, 1)), np.ones(1), QParams(scale=1.0), 1)
    np.testing.assert_array_equal(found[:, 0], [3, 0])
    narrow = QParams(scale=1.0, bits=2, narrow=True)
    found = descend(rows.T @ rows, rows.T @ wanted[:, None], np.zeros((2, 1)), np.ones(1), narrow, 5)
    np.testing.assert_array_equal(found[:, 0], [1, 1])


@pytest.mark.parametrize("grid", [QParams(scale=0.4, bits=2), QParams(scale=0.5, bits=1)])
def test_no_other_code_alone_is_better_and_the_best_of_all_codes_is_near(grid):
    rng = np.random.default_rng(0)
    allowed = [-1, 1] if grid.is_binary else range(grid.qmin, grid.qmax + 1)
    scale, ratios = float(grid.scale), []
    for _ in range(20):
        rows = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4))  # inputs that depend on each other
        w = rng.normal(0, 0.5, 4)
        wanted = rows @ w
        start = np.where(w >= 0, 1, -1) if grid.is_binary else np.clip(np.rint(w / scale), grid.qmin, grid.qmax)
        gram, cross = rows.T @ rows, (rows.T @ wanted)[:, None]
        codes = descend(gram, cross, start[:, None], np.array([scale]), grid, 50)[:, 0]
        reached = error(rows, wanted, scale, codes)
        for k, value in product(range(4), allowed):
            assert reached <= error(rows, wanted, scale, [*codes[:k], value, *codes[k + 1 :]]) + 1e-9
        best = min(error(rows, wanted, scale, codes) for codes in product(allowed, repeat=4))
        rounded = error(rows, wanted, scale, start)
        assert best - 1e-9 <= reached <= rounded + 1e-9
        ratios.append((reached - best, rounded - best))
    found, start = np.sum(ratios, axis=0)
    assert found < 0.5 * start  # most of what rounding loses to the best of all codes


def layer_errors(graph, x, codes=None):
    """Squared errors of the convolutions' outputs on the fake path, real weights against the grid."""
    real, fake = refq.trace(graph, x), refq.trace(graph if codes is None else codes, x, path="fake")
    return {node.name: float(((real[node.output] - fake[node.output]) ** 2).sum()) for node in graph.nodes}


def assert_no_change_of_one_code_is_better(graph, better, x, layer, places):
    """Every neighbour of some codes, tried by running the layer on what it sees on the fake path."""
    node = next(node for node in graph.nodes if node.name == layer)
    source, name = node.inputs[:2]
    codes, grid = better.constants[name], better.tensors[name].qparams
    wanted = layer_for(node).forward(refq.trace(graph, x)[source].astype(float), graph.constants[name])
    seen = refq.trace(better, x, path="fake")[source].astype(float)

    def reached(found):
        return ((layer_for(node).forward(seen, dequantize_array(found, grid)) - wanted) ** 2).sum()

    for place in places:
        for step in (-1, 1):
            other = codes.copy()
            other[place] = np.clip(int(codes[place]) + step, grid.qmin, grid.qmax)
            assert reached(codes) <= reached(other) * (1 + 1e-9), (place, step)


def test_outputs_come_nearer_layer_by_layer_and_the_integer_path_agrees():
    x, y = task(96)
    net = quantized(chain(), x[:32], weights=Lsq(bits=2, per_channel=True))
    graph = fit(net, (x, y), epochs=1, until=0).graph
    better = coordinate_descent(graph, x)
    before, after = layer_errors(graph, x), layer_errors(graph, x, better)
    assert after["conv1"] < 0.7 * before["conv1"]
    assert after["conv2"] < 0.7 * before["conv2"]
    for name in ("conv1/kernel", "conv2/kernel"):
        codes, grid = better.constants[name], better.tensors[name].qparams
        assert codes.dtype == np.int8
        assert grid == graph.tensors[name].qparams
        assert set(np.unique(codes)) <= {-2, -1, 0, 1}
        assert not np.array_equal(dequantize_array(codes, grid), fake_quantize(graph.constants[name], grid))
    assert_no_change_of_one_code_is_better(graph, better, x, "conv2", np.ndindex(6, 3, 3, 6))
    agree = refq.run(better, x, path="integer").argmax(1) == refq.run(better, x, path="fake").argmax(1)
    assert agree.mean() > 0.9


@pytest.mark.parametrize(
    ("op", "shape", "attrs"),
    [("Conv2D", (4, 3, 3, 2), {"groups": 2}), ("DepthwiseConv2D", (1, 3, 3, 8), {"strides": (2, 2)})],
)
def test_filters_see_the_channels_of_their_group(op, shape, attrs):
    rng = np.random.default_rng(1)
    kernel = rng.normal(0, 0.5, shape).astype(np.float32)
    node = Node(op=op, name="conv", inputs=("x", "kernel"), outputs=("y",), attrs={"padding": "same", **attrs})
    x = np.concatenate([images(20), images(20)[..., :1]], axis=-1)
    shapes = {"x": (1, 6, 6, 4), "y": layer_for(node).infer_shape((1, 6, 6, 4), shape)}
    graph = refq.quantize(assemble([node], shapes, {"kernel": kernel}), x, "w4a8")
    better = coordinate_descent(graph, x)
    assert layer_errors(graph, x, better)["conv"] < layer_errors(graph, x)["conv"]
    assert_no_change_of_one_code_is_better(graph, better, x, "conv", np.ndindex(*shape))


def test_what_cannot_be_optimized_is_named():
    x, _ = task(32)
    graph = refq.quantize(chain(), x)
    with pytest.raises(GraphError, match=r"layers=\['relu1'\] have no real constant weights"):
        coordinate_descent(graph, x, layers=("relu1",))
    with pytest.raises(RangeError, match="sweeps=0 must be at least 1"):
        coordinate_descent(graph, x, sweeps=0)
    once = coordinate_descent(graph, x, layers=("conv1",))
    with pytest.raises(GraphError, match="conv1"):
        coordinate_descent(once, x, layers=("conv1",))
