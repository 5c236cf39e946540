"""The cost of scales, counted by hand; stochastic rounding in pieces."""

from itertools import pairwise

import numpy as np
import pytest

import refq
from refq.cli import main
from refq.errors import GraphError, RangeError, ShapeError
from refq.graph import Graph, QParams
from refq.overhead import GRANULARITIES, model_overhead
from refq.quantizers import PerChannel, PerChannelGroup, PerGroup, PerTensor, quantize_array
from refq.quantizers.overhead import overhead


@pytest.mark.parametrize(
    ("granularity", "scales", "rescales"),
    [
        (PerTensor(), 1, 1),
        (PerChannelGroup(size=4), 2, 1),
        (PerChannel(0), 8, 1),
        (PerGroup(size=16), 32, 4),
        (PerGroup(size=60), 16, 2),
    ],
)
def test_scales_are_counted(granularity, scales, rescales):
    found = overhead((8, 64), granularity, bits=4, symmetric=False)
    assert (found.scales, found.scale_bytes, found.zero_point_bytes) == (scales, 4 * scales, scales)
    assert found.rescales_per_output == rescales
    assert found.bits_per_weight == 4 + 8 * 5 * scales / 512


def test_a_tensor_without_weights_is_refused():
    with pytest.raises(ShapeError, match="no weights"):
        overhead((0, 3), PerTensor())


def test_a_model_pays_for_scales_layer_by_layer(capsys):
    graph = refq.load("models/ds_cnn.h5")
    found = model_overhead(graph, bits=4, group=16, channels=8)
    layers = [node for node in graph.nodes if node.op in ("Conv2D", "DepthwiseConv2D", "Dense")]
    assert [row.node for row in found.rows] == [node.name for node in layers]
    weights, scales, rescales = 0, dict.fromkeys(GRANULARITIES, 0), dict.fromkeys(GRANULARITIES, 0)
    for node in layers:
        shape, out = graph.constants[node.inputs[1]].shape, graph.tensors[node.output].shape
        channels, inputs = (shape[-1], 1) if node.op == "DepthwiseConv2D" else (shape[0], shape[-1])
        groups = -(-inputs // 16)
        outputs = int(np.prod(out[1:]))
        weights += int(np.prod(shape))
        counts = (1, -(-channels // 8), channels, channels * groups)
        for name, count, each in zip(GRANULARITIES, counts, (1, 1, 1, groups), strict=True):
            scales[name] += count
            rescales[name] += outputs * each
    assert found.weights == weights
    for name in GRANULARITIES:
        assert (found.scales(name), found.scale_bytes(name)) == (scales[name], 4 * scales[name])
        assert found.rescales(name) == rescales[name]
        assert found.bits_per_weight(name) == 4 + 32 * scales[name] / weights
    both = model_overhead(graph, bits=4, group=16, channels=8, symmetric=False, scale_bits=16)
    assert both.scale_bytes("channelwise") == 3 * scales["channelwise"]


def test_the_command_prints_the_overhead_of_a_model(capsys):
    for arguments, code in ((["models/resnet8.h5", "--overhead", "--bits", "4"], 0), (["--overhead"], 2)):
        with pytest.raises(SystemExit) as done:
            main(["quantizers", *arguments])
        assert done.value.code == code
    said = capsys.readouterr()
    assert "--overhead needs a model" in said.err
    head, *rows, foot = said.out.splitlines()
    assert head.split()[:2] == ["granularity", "scales"]
    assert [row.split()[0] for row in rows] == list(GRANULARITIES)
    assert foot.startswith("10 layers, 77,360 weights of 4 bits")


def test_a_graph_without_weights_has_no_overhead():
    graph = Graph(name="g", nodes=(), tensors={}, constants={}, inputs=(), outputs=())
    with pytest.raises(GraphError, match="'g' has no layer with constant weights"):
        model_overhead(graph)


def test_seeded_stochastic_rounding_depends_on_the_index_alone_and_is_unbiased():
    grid, x = QParams(scale=1.0), np.full(40_000, 2.3, np.float32)
    whole = quantize_array(x, grid, "stochastic", 7)
    cuts = [0, 1, 6, 4097, 40_000]
    pieces = [quantize_array(x[a:b], grid, "stochastic", 7, a) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert set(whole.tolist()) == {2, 3}
    assert abs(whole.mean() - 2.3) < 4 * np.sqrt(0.3 * 0.7 / x.size)
    with pytest.raises(RangeError, match="seed=-1"):
        quantize_array(x, grid, "stochastic", -1)
