"""Dynamic quantization against `onnxruntime.quantization.quantize_dynamic`, bit for bit."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

import refq
from refq.transforms import dynamic_quantize
from tests.peers.onnx_models import constant, model, node, weights


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


def depthwise_net(seed):
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], name="c1", pads=[1, 1, 1, 1], group=6),
        node("Relu", ["a"], ["b"], name="r"),
        node("Conv", ["b", "w2", "b2"], ["c"], name="c2"),
        node("Conv", ["c", "w3"], ["y"], name="c3", strides=[2, 1], dilations=[1, 2], group=4),
    ]
    held = weights(seed, w1=(12, 1, 3, 3), b1=(12,), w2=(4, 12, 1, 1), b2=(4,), w3=(4, 1, 3, 2))
    return model(nodes, {"x": [1, 6, 9, 8]}, ["y"], held, opset=17), (1, 6, 9, 8)


def grouped_net(seed):
    nodes = [node("Conv", ["x", "w1", "b1"], ["y"], name="c1", pads=[0, 1, 2, 1], group=2)]
    held = weights(seed, w1=(6, 4, 3, 3), b1=(6,))
    return model(nodes, {"x": [2, 8, 7, 6]}, ["y"], held, opset=17), (2, 8, 7, 6)


NETS = [dense_net, conv_net, depthwise_net, grouped_net]


@pytest.mark.parametrize("make", NETS)
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
    assert not {"Dense", "Conv2D", "DepthwiseConv2D"} & {n.op for n in graph.nodes}
    for scale in (0.01, 1.0, 300.0):  # the range follows the input
        x = (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)
        theirs = session.run(None, {"x": x})[0]
        for path in ("float", "fake", "integer"):
            np.testing.assert_array_equal(refq.run(graph, x, path), theirs)


def test_the_recipe_needs_no_calibration_data(tmp_path):
    onnx.save(dense_net(0)[0], tmp_path / "m.onnx")
    graph = refq.quantize(refq.load(tmp_path / "m.onnx"), None, "dynamic-int8")
    assert sum(n.op == "MatMulInteger" for n in graph.nodes) == 2


@pytest.mark.parametrize("make", [conv_net, depthwise_net])
def test_onnxruntimes_tool_gives_convolutions_one_scale_whatever_is_asked(make, tmp_path):
    onnx.save(make(0)[0], tmp_path / "m.onnx")
    for per_channel in (False, True):
        quantize_dynamic(
            tmp_path / "m.onnx",
            tmp_path / "q.onnx",
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            op_types_to_quantize=["MatMul", "Conv"],
        )
        scales = [t for t in onnx.load(tmp_path / "q.onnx").graph.initializer if t.name.endswith("_scale")]
        assert scales
        assert all(numpy_helper.to_array(t).size == 1 for t in scales)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("seed", range(3))
def test_one_scale_a_channel_equals_onnxruntime_on_nodes_with_a_vector_of_scales(groups, seed, tmp_path):
    """The nodes its tool does not make, made by hand: ConvInteger, then a product by one scale a channel."""
    rng, shape = np.random.default_rng(seed), {"x": [1, 6, 8, 8]}
    w = rng.normal(size=(12, 6 // groups, 3, 3)) * np.geomspace(0.1, 10, 12).reshape(-1, 1, 1, 1)
    w, b = w.astype(np.float32), rng.normal(size=(1, 12, 1, 1)).astype(np.float32)
    real = node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], group=groups)
    onnx.save(model([real], shape, ["y"], [constant("w", w), constant("b", b.ravel())]), tmp_path / "m.onnx")
    graph = dynamic_quantize(refq.load(tmp_path / "m.onnx"), per_channel=True)
    scale = (np.abs(w).max(axis=(1, 2, 3)) / 127).astype(np.float32)
    codes = np.clip(np.rint(w / scale.reshape(-1, 1, 1, 1)), -127, 127).astype(np.int8)
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("ConvInteger", ["q", "codes", "z"], ["sum"], pads=[1, 1, 1, 1], group=groups),
        node("Cast", ["sum"], ["real"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["s", "scale"], ["factor"]),
        node("Mul", ["real", "factor"], ["scaled"]),
        node("Add", ["scaled", "b"], ["y"]),
    ]
    held = [constant("codes", codes), constant("scale", scale.reshape(1, -1, 1, 1)), constant("b", b)]
    by_hand = model(nodes, shape, ["y"], held)
    session = ort.InferenceSession(by_hand.SerializeToString(), providers=["CPUExecutionProvider"])
    x = rng.normal(size=shape["x"]).astype(np.float32)
    theirs = session.run(None, {"x": x})[0]
    for path in ("float", "fake", "integer"):
        np.testing.assert_array_equal(refq.run(graph, x, path), theirs)
