"""Whole models under every representation of weights, on the fake and the integer path."""

from math import ceil
from pathlib import Path

import numpy as np
import pytest

import refq
from hwsim.workload import from_graph
from refq.execute import _interpret
from refq.numerics import find_arithmetic
from refq.quantizers import RECIPES

MODELS = Path(__file__).parents[2] / "models"
UNIFORM = {"int8", "w4a8", "dynamic-int8", "ibert", "int8-pow2"}
MULTIPLIERS = {
    **dict.fromkeys(["w1a8", "w2a8", "ttq"], "sign"),
    **dict.fromkeys(["kmeans4", "weighted-entropy4", "vq", "pq", "residual-pq"], "lookup"),
    **dict.fromkeys(["binary-code2", "binary-code3", "lq-nets2", "lq-nets3", "lq-nets4", "abc-net3"], "bit_planes"),
    "pot4": "shift",
    "apot4": "shift_add",
    "w4g32a8": "group_rescale",
    "wrpn4": "multiply",
}
SCALAR_BITS = {
    "w1a8": 1,
    "w2a8": 2,
    "ttq": 2,
    "binary-code2": 2,
    "binary-code3": 3,
    "lq-nets2": 2,
    "lq-nets3": 3,
    **dict.fromkeys(["lq-nets4", "pot4", "apot4", "kmeans4", "weighted-entropy4", "w4g32a8", "wrpn4"], 4),
    "abc-net3": 3,
}


def test_every_recipe_holds_codes_or_one_uniform_scale_a_tensor_or_channel() -> None:
    assert set(RECIPES) == UNIFORM | set(MULTIPLIERS)


@pytest.mark.parametrize("recipe", list(MULTIPLIERS))
@pytest.mark.parametrize("model", ["resnet8.h5", "ds_cnn.h5"])
def test_paths_agree_a_file_keeps_the_codes_and_an_accelerator_sees_them(
    recipe: str, model: str, tmp_path: Path
) -> None:
    graph = refq.load(MODELS / model)
    (name,) = graph.inputs
    x = np.random.default_rng(0).normal(size=(2, *graph.tensors[name].shape[1:])).astype(np.float32)
    quantized = refq.quantize(graph, x, recipe)
    coded = {s.name: s.codebook for s in quantized.tensors.values() if s.codebook is not None}
    # a depthwise filter is one group of input channels: it keeps one uniform scale
    depthwise = sum(node.op == "DepthwiseConv2D" for node in quantized.nodes) if recipe == "w4g32a8" else 0
    assert len(coded) == 10 - depthwise
    assert {book.multiplier for book in coded.values()} == {MULTIPLIERS[recipe]}

    result = refq.compare(quantized, x)
    assert max(row.max_step or 0 for row in result.rows) <= 1, result

    codes = np.random.default_rng(1).integers(-128, 128, x.shape).astype(np.int8)
    profile, out = find_arithmetic("litert"), quantized.outputs[0]
    by_node = _interpret(quantized, {name: codes}, "integer", profile, None)[out]
    assert np.array_equal(refq.run(quantized, codes, path="integer"), by_node)

    refq.save(quantized, tmp_path / "m.h5")
    back = refq.load(tmp_path / "m.h5")
    assert {s.name: s.codebook for s in back.tensors.values() if s.codebook is not None} == coded
    assert np.array_equal(refq.run(back, codes, path="integer"), by_node)

    layers = [layer for layer in from_graph(quantized).layers if layer.weight_key in coded]
    assert len(layers) == len(coded)
    for layer in layers:
        book = coded[layer.weight_key]
        assert layer.nest.multiplier == book.multiplier
        if recipe in SCALAR_BITS:
            assert layer.nest.weight_bits == SCALAR_BITS[recipe]
        stored = ceil(book.codes.size * book.code_bits / 8)
        assert layer.weight_bytes == stored + book.metadata_bytes + 4 * layer.nest.biases
        if book.multiplier == "group_rescale":  # scales below 2**5, a byte each, for every 32 channels of a filter
            outputs, *_, channels = book.shape
            assert book.metadata_bytes == outputs * ceil(channels / 32)
        if recipe in ("vq", "pq", "residual-pq"):
            assert book.metadata_bytes >= book.tables.size


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel", "per_channel_group:5", "per_group:6"])
@pytest.mark.parametrize(
    "grid", ["Uniform", "Binary", "Ternary", "APoT", "PowerOfTwo", "KMeansLevels", "LQNets", "TrainedTernary"]
)
def test_every_granularity_of_a_file_reaches_the_tables(grid: str, granularity: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    bits = "bits = 4\n" if grid == "Uniform" else ""
    path.write_text(f'[weights]\ngrid = "{grid}"\n{bits}granularity = "{granularity}"\n')
    graph = refq.load(MODELS / "ds_cnn.h5")
    (name,) = graph.inputs
    x = np.random.default_rng(0).normal(size=(2, *graph.tensors[name].shape[1:])).astype(np.float32)
    quantized = refq.quantize(graph, x, path)
    assert max(row.max_step or 0 for row in refq.compare(quantized, x).rows) <= 1
    for node in quantized.nodes:
        if node.op not in ("Conv2D", "DepthwiseConv2D", "Dense"):
            continue
        spec = quantized.tensors[node.inputs[1]]
        axis = 3 if node.op == "DepthwiseConv2D" else 0
        channels, counted = spec.shape[axis], 1
        assert spec.qparams is not None
        assert spec.qparams.axis == (None if granularity == "per_tensor" else axis)
        if granularity == "per_channel_group:5":
            for first in range(0, channels, 5):
                assert len(set(spec.qparams.scale[first : first + 5].tolist())) == 1
        if spec.codebook is None or (grid in ("Binary", "Ternary") and spec.codebook.multiplier == "sign"):
            continue
        if granularity != "per_tensor":
            counted = ceil(channels / 5) if granularity == "per_channel_group:5" else channels
        if granularity == "per_group:6" and axis == 0:
            counted *= ceil(spec.shape[-1] / 6)
        books = spec.codebook.tables if spec.codebook.scales is None else spec.codebook.scales
        assert len(books) == counted
