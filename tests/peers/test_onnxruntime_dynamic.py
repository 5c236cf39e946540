"""Dynamic quantization against `onnxruntime.quantization.quantize_dynamic`, bit for bit."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnxruntime.quantization import QuantType, quantize_dynamic

import refq
from refq.transforms import dynamic_quantize
from tests.peers.onnx_models import model, node, weights


def dense_net(seed):
    nodes = [
        node("MatMul", ["x", "w1"], ["a"], name="m1"),
        node("Add", ["a", "b1"], ["b"], name="a1"),
        node("Relu", ["b"], ["c"], name="r"),
        node("MatMul", ["c", "w2"], ["d"], name="m2"),
        node("Add", ["d", "b2"], ["y"], name="a2"),
    ]
    held = weights(seed, w1=(12, 20), b1=(20,), w2=(20, 5), b2=(5,))
    return model(nodes, {"x": [1, 12]}, ["y"], held, opset=17), (1, 12)


def conv_net(seed):
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], name="c1", pads=[1, 1, 1, 1]),
        node("Relu", ["a"], ["b"], name="r"),
        node("Conv", ["b", "w2", "b2"], ["y"], name="c2", strides=[2, 2]),
    ]
    held = weights(seed, w1=(8, 3, 3, 3), b1=(8,), w2=(4, 8, 3, 3), b2=(4,))
    return model(nodes, {"x": [1, 3, 10, 10]}, ["y"], held, opset=17), (1, 3, 10, 10)


@pytest.mark.parametrize("make", [dense_net, conv_net])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_dynamic_models_equal_onnxruntime_on_every_path(make, per_channel, seed, tmp_path):
    proto, shape = make(seed)
    onnx.save(proto, tmp_path / "m.onnx")
    quantize_dynamic(
        tmp_path / "m.onnx",
        tmp_path / "q.onnx",
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        op_types_to_quantize=["MatMul", "Conv"],
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(tmp_path / "q.onnx", options)
    # ONNX Runtime quantizes what ConvInteger reads per tensor, whatever per_channel says.
    graph = dynamic_quantize(refq.load(tmp_path / "m.onnx"), per_channel=per_channel and make is dense_net)
    assert "DynamicQuantizeLinear" in {n.op for n in graph.nodes}
    for scale in (0.01, 1.0, 300.0):  # the range follows the input
        x = (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)
        theirs = session.run(None, {"x": x})[0]
        for path in ("float", "fake", "integer"):
            np.testing.assert_array_equal(refq.run(graph, x, path), theirs)


def test_the_recipe_needs_no_calibration_data(tmp_path):
    onnx.save(dense_net(0)[0], tmp_path / "m.onnx")
    graph = refq.quantize(refq.load(tmp_path / "m.onnx"), None, "dynamic-int8")
    assert sum(n.op == "MatMulInteger" for n in graph.nodes) == 2


def test_convolutions_with_one_scale_a_channel_stay_near_the_real_ones(tmp_path):
    proto, shape = conv_net(0)
    onnx.save(proto, tmp_path / "m.onnx")
    real = refq.load(tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    exact = refq.run(real, x)
    y = refq.run(dynamic_quantize(real, per_channel=True), x, "integer")
    assert np.abs(y - exact).max() < 0.02 * np.abs(exact).max()
