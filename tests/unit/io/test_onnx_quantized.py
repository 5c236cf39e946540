"""What quantized .onnx files become: grids on tensors, codes as constants, names of the file."""

import json

import ml_dtypes
import numpy as np
import pytest

import refq
from refq.quantizers.apply import dequantize_array

onnx = pytest.importorskip("onnx")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto
node = helper.make_node


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def written(tmp_path, nodes, held, inputs, outputs=("y",), opset=21, kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        held,
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path)
    return path


def pair(name, to, scale, zero):
    return [
        node("QuantizeLinear", [name, scale, zero], [f"{to}_q"]),
        node("DequantizeLinear", [f"{to}_q", scale, zero], [to]),
    ]


def qdq_conv(tmp_path, w, w_scale, axis=0, between=(), bias_scale=None):
    bias = [node("DequantizeLinear", ["bq", "bs"], ["b"], axis=0)]
    nodes = [
        *pair("x", "xd", "xs", "xz"),
        node("DequantizeLinear", ["wq", "ws"], ["w"], axis=axis),
        *bias,
        node("Conv", ["xd", "w", "b"], ["c"], name="conv"),
        *between,
        *pair("r" if between else "c", "y", "ys", "yz"),
    ]
    scale = (np.float32(0.05) * np.asarray(w_scale, np.float32)) if bias_scale is None else bias_scale
    held = [
        tensor("xs", np.float32(0.05)), tensor("xz", np.uint8(120)),
        tensor("ys", np.float32(0.1)), tensor("yz", np.uint8(3)),
        tensor("wq", w), tensor("ws", np.asarray(w_scale, np.float32)),
        tensor("bq", np.arange(4, dtype=np.int32) * 50), tensor("bs", scale),
    ]  # fmt: skip
    return written(tmp_path, nodes, held, {"x": [1, 3, 6, 7]})


WEIGHTS = np.random.default_rng(0).integers(-7, 8, (4, 3, 3, 2))
SCALES = [0.01, 0.02, 0.03, 0.04]


def test_weights_keep_their_codes_and_scales_follow_the_transposition(tmp_path):
    graph = refq.load(qdq_conv(tmp_path, WEIGHTS.astype(np.int8), SCALES))
    conv = next(n for n in graph.nodes if n.op == "Conv2D")
    w, b = conv.inputs[1:]
    np.testing.assert_array_equal(graph.constants[w], WEIGHTS.transpose(0, 2, 3, 1))
    assert graph.constants[w].dtype == np.int8
    assert graph.tensors[w].qparams.axis == 0
    np.testing.assert_array_equal(graph.tensors[w].qparams.scale, np.float32(SCALES))
    np.testing.assert_array_equal(graph.constants[b], np.arange(4) * 50)
    assert graph.tensors[b].qparams.bits == 32


def test_a_depthwise_weight_has_its_scales_along_the_last_axis(tmp_path):
    nodes = [
        *pair("x", "xd", "s", "z"),
        node("DequantizeLinear", ["wq", "ws"], ["w"], axis=0),
        node("Conv", ["xd", "w"], ["c"], group=3),
        *pair("c", "y", "s", "z"),
    ]
    codes = np.random.default_rng(1).integers(-127, 128, (6, 1, 3, 3)).astype(np.int8)
    held = [tensor("s", np.float32(0.1)), tensor("z", np.int8(0)), tensor("wq", codes)]
    held.append(tensor("ws", np.linspace(0.01, 0.06, 6, dtype=np.float32)))
    graph = refq.load(written(tmp_path, nodes, held, {"x": [1, 3, 5, 5]}))
    conv = next(n for n in graph.nodes if n.op == "DepthwiseConv2D")
    assert graph.tensors[conv.inputs[1]].qparams.axis == 3
    np.testing.assert_array_equal(graph.constants[conv.inputs[1]], codes.transpose(1, 2, 3, 0))


def test_activations_take_the_grid_of_their_quantizer_and_every_name_can_be_traced(tmp_path):
    graph = refq.load(qdq_conv(tmp_path, WEIGHTS.astype(np.int8), SCALES))
    assert float(graph.tensors["x"].qparams.scale) == np.float32(0.05)
    assert int(graph.tensors["c"].qparams.zero_point) == 3
    assert not graph.tensors["c"].qparams.signed
    x = np.random.default_rng(2).normal(0, 2, (1, 3, 6, 7)).astype(np.float32)
    found = refq.trace(graph, x, path="integer", arithmetic="onnx")
    assert {"x", "xd_q", "xd", "c", "y_q", "y"} <= set(found)
    assert found["c"].dtype == np.uint8
    np.testing.assert_array_equal(found["xd_q"], np.clip(np.rint(x / np.float32(0.05)) + 120, 0, 255))


@pytest.mark.parametrize(
    ("activation", "clamp"),
    [
        ([node("Relu", ["c"], ["r"])], (0.0, np.inf)),
        ([node("Clip", ["c", "xs", "ys"], ["r"])], (float(np.float32(0.05)), float(np.float32(0.1)))),
    ],
)
def test_an_activation_before_the_quantizer_becomes_a_clamp(tmp_path, activation, clamp):
    graph = refq.load(qdq_conv(tmp_path, WEIGHTS.astype(np.int8), SCALES, between=activation))
    conv = next(n for n in graph.nodes if n.op == "Conv2D")
    assert conv.clamp == clamp
    assert "Relu" not in {n.op for n in graph.nodes}


def test_a_bias_at_another_scale_is_put_on_the_accumulators(tmp_path):
    scale = np.full(4, 0.002, np.float32)
    graph = refq.load(qdq_conv(tmp_path, WEIGHTS.astype(np.int8), SCALES, bias_scale=scale))
    conv = next(n for n in graph.nodes if n.op == "Conv2D")
    bias = graph.tensors[conv.inputs[2]].qparams
    np.testing.assert_allclose(bias.scale, np.float32(0.05) * np.float32(SCALES), rtol=1e-6)
    np.testing.assert_allclose(graph.constants[conv.inputs[2]], np.arange(4) * 50 * np.float32(0.002))


def test_four_bit_weights_have_four_bits(tmp_path):
    graph = refq.load(qdq_conv(tmp_path, WEIGHTS.astype(ml_dtypes.int4), SCALES))
    conv = next(n for n in graph.nodes if n.op == "Conv2D")
    assert graph.tensors[conv.inputs[1]].qparams.bits == 4
    np.testing.assert_array_equal(graph.constants[conv.inputs[1]], WEIGHTS.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(("kind", "low"), [(ml_dtypes.uint4, 0), (ml_dtypes.int4, -8)])
@pytest.mark.parametrize("axis", [0, 1])
def test_blocked_weights_become_reals_and_are_listed(tmp_path, kind, low, axis):
    rng = np.random.default_rng(3)
    codes = rng.integers(low, low + 16, (10, 6)).astype(kind)
    blocks = (3, 6) if axis == 0 else (10, 2)
    scales = rng.uniform(0.1, 1, blocks).astype(np.float32)
    zeros = rng.integers(low, low + 16, blocks).astype(kind)
    nodes = [
        node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=axis, block_size=4),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    held = [tensor("q", codes), tensor("s", scales), tensor("z", zeros)]
    graph = refq.load(written(tmp_path, nodes, held, {"x": [2, 10]}))
    want = np.empty((10, 6), np.float32)
    for i, j in np.ndindex(10, 6):
        block = (i // 4, j) if axis == 0 else (i, j // 4)
        want[i, j] = scales[block] * np.float32(int(codes[i, j]) - int(zeros[block]))
    dense = next(n for n in graph.nodes if n.op == "Dense")
    np.testing.assert_array_equal(graph.constants[dense.inputs[1]], want.T)
    assert json.loads(graph.meta["blocked"]) == ["w"]
    x = rng.normal(0, 1, (2, 10)).astype(np.float32)
    np.testing.assert_allclose(refq.run(graph, x), x @ want, rtol=1e-5, atol=1e-5)


def test_a_block_larger_than_its_axis_takes_no_memory(tmp_path):
    nodes = [node("DequantizeLinear", ["q", "s"], ["w"], axis=0, block_size=1 << 60), node("MatMul", ["x", "w"], ["y"])]
    held = [tensor("q", np.ones((10, 6), np.int8)), tensor("s", np.full((1, 6), 0.5, np.float32))]
    graph = refq.load(written(tmp_path, nodes, held, {"x": [2, 10]}))
    np.testing.assert_array_equal(refq.run(graph, np.ones((2, 10), np.float32)), np.full((2, 6), 5.0))


def test_codes_that_enter_the_graph_are_taken_as_codes(tmp_path):
    nodes = [
        node("DequantizeLinear", ["x", "s", "z"], ["d"]),
        node("MaxPool", ["d"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        *pair("p", "y", "s", "z"),
    ]
    held = [tensor("s", np.float32(0.25)), tensor("z", np.uint8(7))]
    graph = refq.load(written(tmp_path, nodes, held, {"x": [1, 2, 4, 4]}, kind=TensorProto.UINT8))
    x = np.random.default_rng(4).integers(0, 256, (1, 2, 4, 4)).astype(np.uint8)
    y = refq.run(graph, x, path="integer", arithmetic="onnx")
    np.testing.assert_array_equal(y, x.reshape(1, 2, 2, 2, 2, 2).max(axis=(3, 5)))
    reals = dequantize_array(x, graph.tensors["x"].qparams)
    np.testing.assert_array_equal(refq.run(graph, reals, path="fake"), reals.reshape(1, 2, 2, 2, 2, 2).max(axis=(3, 5)))


@pytest.mark.parametrize("spatial", [(9,), (6, 7)])
def test_limits_and_grids_pass_changes_of_shape(tmp_path, spatial):
    nodes = [
        *pair("x", "xd", "s", "z"),
        node("DequantizeLinear", ["wq", "ws"], ["w"]),
        node("Conv", ["xd", "w"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        *pair("f", "y", "s", "z"),
    ]
    codes = np.random.default_rng(5).integers(-127, 128, (4, 3, *(2 for _ in spatial))).astype(np.int8)
    held = [tensor("s", np.float32(0.1)), tensor("z", np.int8(0)), tensor("wq", codes), tensor("ws", np.float32(0.01))]
    path = written(tmp_path, nodes, held, {"x": [1, 3, *spatial]})
    graph = refq.load(path)
    x = np.random.default_rng(6).normal(0, 2, (1, 3, *spatial)).astype(np.float32)
    y = refq.run(graph, x, path="integer", arithmetic="onnx")
    assert y.min() == 0
    assert np.abs(y - refq.run(graph, x, path="fake")).max() <= 0.101
    assert "Relu" not in {n.op for n in graph.nodes}


def test_a_tensor_quantized_in_two_ways_stays_real(tmp_path):
    nodes = [
        node("Relu", ["x"], ["r"]),
        *pair("r", "a", "s", "z"),
        *pair("r", "b", "t", "z"),
        node("Add", ["a", "b"], ["y"]),
    ]
    held = [tensor("s", np.float32(0.1)), tensor("t", np.float32(0.3)), tensor("z", np.int8(0))]
    graph = refq.load(written(tmp_path, nodes, held, {"x": [1, 3, 4, 4]}))
    assert graph.tensors["r"].qparams is None
    x = np.linspace(0, 9, 48, dtype=np.float32).reshape(1, 3, 4, 4)
    want = sum(np.clip(np.rint(x / np.float32(s)), -128, 127) * np.float32(s) for s in (0.1, 0.3))
    np.testing.assert_allclose(refq.run(graph, x, path="fake"), want, rtol=1e-6)


def test_an_output_that_is_also_quantized_stays_real(tmp_path):
    nodes = [node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2]), *pair("p", "y", "s", "z")]
    held = [tensor("s", np.float32(0.5)), tensor("z", np.int8(0))]
    graph = refq.load(written(tmp_path, nodes, held, {"x": [1, 2, 4, 4]}, outputs=("p", "y")))
    x = np.random.default_rng(7).normal(0, 2, (1, 2, 4, 4)).astype(np.float32)
    p, y = refq.run(graph, x, path="fake")
    np.testing.assert_array_equal(p, np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3)).max(axis=(4, 5)))
    np.testing.assert_array_equal(y, np.rint(p / np.float32(0.5)) * np.float32(0.5))
