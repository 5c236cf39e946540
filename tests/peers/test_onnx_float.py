"""Float models in ONNX: refq against ONNX Runtime on the same file."""

import json

import numpy as np
import pytest

import refq

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.peers.onnx_models import answer, constant, model, node, weights  # noqa: E402


def ints(name, *values):
    return constant(name, np.asarray(values, np.int64))


def image_net():
    return model(
        [
            node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Relu", ["c"], ["r"]),
            node("Conv", ["r", "dw"], ["d"], group=8, pads=[1, 0, 1, 2]),
            node("MaxPool", ["d"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("GlobalAveragePool", ["p"], ["g"]),
            node("Flatten", ["g"], ["f"]),
            node("Gemm", ["f", "fw", "fb"], ["y"], transB=1),
        ],
        {"x": ["N", 3, 16, 16]},
        ["y", "d"],
        weights(w=(8, 3, 3, 3), b=(8,), dw=(8, 1, 3, 3), fw=(5, 8), fb=(5,)),
    )


def residual_block():
    """Squeeze and excitation, hard swish, an identity branch, batch normalization that no convolution precedes."""
    return model(
        [
            node("Conv", ["x", "w1"], ["c1"], pads=[0, 1, 2, 1]),
            node("BatchNormalization", ["c1", "gamma", "beta", "mean", "variance"], ["n1"], epsilon=1e-3),
            node("HardSwish", ["n1"], ["h"]),
            node("ReduceMean", ["h"], ["m"], axes=[2, 3], keepdims=1),
            node("Conv", ["m", "w2", "b2"], ["s"]),
            node("HardSigmoid", ["s"], ["g"], alpha=1 / 6, beta=0.5),
            node("Mul", ["h", "g"], ["e"]),
            node("Conv", ["e", "w3"], ["c3"], pads=[2, 1, 2, 1], dilations=[2, 1]),
            node("Add", ["c3", "h"], ["r"]),
            node("PRelu", ["r", "slope"], ["p"]),
            node(
                "AveragePool", ["p"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1
            ),
            node("Clip", ["a", "low", "high"], ["y"]),
        ],
        {"x": ["N", 3, 12, 9]},
        ["y"],
        [
            *weights(1, w1=(6, 3, 3, 3), w2=(6, 6, 1, 1), b2=(6,), w3=(6, 6, 3, 3), gamma=(6,), beta=(6,), mean=(6,)),
            *weights(2, slope=(6, 1, 1)),
            constant("variance", np.linspace(0.5, 2, 6, dtype=np.float32)),
            constant("low", np.float32(-0.4)),
            constant("high", np.float32(1.5)),
        ],
    )


def decoder():
    """Transposed convolutions, resizing, joins and splits along channels, a transpose to channels-last by the file."""
    return model(
        [
            node("ConvTranspose", ["x", "w1", "b1"], ["t"], strides=[2, 2], pads=[1, 1, 0, 0], output_padding=[1, 0]),
            node("Elu", ["t"], ["e"], alpha=0.7),
            node("ConvTranspose", ["e", "w2"], ["u"], group=2, strides=[2, 1]),
            node("Resize", ["u", "", "", "size"], ["r"], mode="linear", coordinate_transformation_mode="half_pixel"),
            node("Split", ["r"], ["s1", "s2"], axis=1),
            node("Sub", ["s1", "s2"], ["d"]),
            node("Concat", ["d", "s1", "s2"], ["j"], axis=1),
            node("Pad", ["j", "pads", "value"], ["p"]),
            node("Slice", ["p", "starts", "ends", "axes", "steps"], ["cut"]),
            node(
                "Resize",
                ["cut", "", "scales"],
                ["big"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Transpose", ["big"], ["y"], perm=[0, 2, 3, 1]),
            node("Softmax", ["j"], ["z"], axis=1),
        ],
        {"x": [1, 4, 5, 6]},
        ["y", "z"],
        [
            *weights(3, w1=(4, 8, 3, 3), b1=(8,), w2=(8, 2, 2, 3)),
            ints("size", 1, 4, 25, 17),
            ints("pads", 0, 1, 2, 0, 0, 0, 1, 3),
            constant("value", np.float32(0.25)),
            ints("starts", 1, 30, 0),
            ints("ends", 6, 0, -2),
            ints("axes", 1, 2, 3),
            ints("steps", 1, -3, 2),
            constant("scales", np.asarray([1, 1, 2, 3], np.float32)),
        ],
    )


def line_net():
    """One spatial axis: convolutions, pools, instance normalization."""
    return model(
        [
            node("Conv", ["x", "w1", "b1"], ["c"], strides=[2], pads=[1, 2]),
            node("Relu", ["c"], ["r"]),
            node("Conv", ["r", "w2"], ["d"], group=6, auto_pad="SAME_LOWER"),
            node("Sigmoid", ["d"], ["s"]),
            node("Mul", ["d", "s"], ["silu"]),
            node("MaxPool", ["silu"], ["m"], kernel_shape=[3], strides=[2], ceil_mode=1),
            node("InstanceNormalization", ["m", "gamma", "beta"], ["i"]),
            node("ConvTranspose", ["i", "w3"], ["t"], strides=[2]),
            node("GlobalMaxPool", ["t"], ["g"]),
            node("Squeeze", ["g", "last"], ["y"]),
        ],
        {"x": ["N", 4, 30]},
        ["y"],
        [*weights(4, w1=(6, 4, 5), b1=(6,), w2=(6, 1, 4), w3=(6, 3, 2), gamma=(6,), beta=(6,)), ints("last", 2)],
    )


def attention():
    """A transformer block: layer normalization, heads by reshape and transpose, softmax, gelu, shapes computed."""
    return model(
        [
            node("LayerNormalization", ["x", "gamma", "beta"], ["n"]),
            node("MatMul", ["n", "wq"], ["q0"]),
            node("MatMul", ["n", "wk"], ["k0"]),
            node("MatMul", ["n", "wv"], ["v0"]),
            node("Add", ["bq", "q0"], ["q1"]),
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["batch"]),
            node("Unsqueeze", ["batch", "axis0"], ["batch1"]),
            node("Concat", ["batch1", "rest"], ["heads"], axis=0),
            node("Reshape", ["q1", "heads"], ["q2"]),
            node("Reshape", ["k0", "heads"], ["k2"]),
            node("Reshape", ["v0", "heads"], ["v2"]),
            node("Transpose", ["q2"], ["q"], perm=[0, 2, 1, 3]),
            node("Transpose", ["k2"], ["k"], perm=[0, 2, 3, 1]),
            node("Transpose", ["v2"], ["v"], perm=[0, 2, 1, 3]),
            node("MatMul", ["q", "k"], ["s"]),
            node("Div", ["s", "root"], ["sd"]),
            node("Softmax", ["sd"], ["p"], axis=-1),
            node("MatMul", ["p", "v"], ["o"]),
            node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]),
            node("Reshape", ["ot", "flat"], ["of"]),
            node("MatMul", ["of", "wo"], ["oo"]),
            node("Add", ["oo", "x"], ["res"]),
            node("Gelu", ["res"], ["ge"]),
            node("ReduceMean", ["ge", "axis1"], ["y"], keepdims=0),
        ],
        {"x": [3, 7, 16]},
        ["y"],
        [
            *weights(5, gamma=(16,), beta=(16,), wq=(16, 16), wk=(16, 16), wv=(16, 16), wo=(16, 16), bq=(16,)),
            constant("zero", np.int64(0)),
            ints("axis0", 0),
            ints("axis1", 1),
            ints("rest", 7, 4, 4),
            ints("flat", 0, -1, 16),
            constant("root", np.float32(1.7)),
        ],
        opset=20,
    )


NETS = {
    "image": image_net(),
    "residual": residual_block(),
    "decoder": decoder(),
    "line": line_net(),
    "attention": attention(),
}


def check(made, tmp_path, batch=2, tolerance=1e-5):
    path = tmp_path / "model.onnx"
    onnx.save(made, path)
    graph = refq.load(path)
    rng = np.random.default_rng(1)
    feeds = {}
    for value in made.graph.input:
        shape = graph.tensors[value.name].shape
        is_symbolic = bool(value.type.tensor_type.shape.dim[0].dim_param)
        feeds[value.name] = rng.normal(0, 1, (batch if is_symbolic else shape[0], *shape[1:])).astype(np.float32)
    found = refq.run(graph, feeds)
    found = found if isinstance(found, tuple) else (found,)
    expected = answer(path, feeds)
    assert len(found) == len(expected)
    for y, want in zip(found, expected, strict=True):
        assert y.shape == want.shape
        np.testing.assert_allclose(y, want, rtol=tolerance, atol=tolerance)
    return graph


@pytest.mark.parametrize("name", NETS)
def test_networks_agree_with_onnx_runtime(name, tmp_path):
    check(NETS[name], tmp_path)


def test_tensors_keep_the_files_names_and_those_held_channels_last_are_listed(tmp_path):
    graph = check(image_net(), tmp_path)
    held = json.loads(graph.meta["nhwc"])
    assert {"c", "r", "p", "g"} <= set(held)
    assert graph.tensors["c"].shape == (1, 8, 8, 8)
    assert graph.tensors["x"].shape == (1, 3, 16, 16)
    assert graph.outputs == ("y", "d")
