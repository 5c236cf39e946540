"""Quantized ONNX models, written by onnxruntime.quantization from random float ones."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tests.peers.onnx_models import constant, model, node, weights


class _Batches(CalibrationDataReader):
    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:  # type: ignore[override]
        return next(self.feeds, None)


def residual_net(seed: int, size: int = 10) -> onnx.ModelProto:
    """Convolutions, a depthwise one, a residual sum, pools, a dense head."""
    return model(
        [
            node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
            node("Relu", ["c1"], ["r1"], name="relu1"),
            node("Conv", ["r1", "w2", "b2"], ["c2"], name="depthwise", group=8, pads=[1, 1, 1, 1]),
            node("Clip", ["c2", "low", "high"], ["r2"], name="relu6"),
            node("Conv", ["r2", "w3", "b3"], ["c3"], name="conv3"),
            node("Add", ["c3", "r1"], ["s"], name="sum"),
            node("MaxPool", ["s"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
            node("GlobalAveragePool", ["p"], ["g"], name="global"),
            node("Flatten", ["g"], ["f"], name="flat"),
            node("Gemm", ["f", "fw", "fb"], ["y"], name="head", transB=1),
        ],
        {"x": [1, 3, size, size]},
        ["y"],
        [
            *weights(
                seed, w1=(8, 3, 3, 3), b1=(8,), w2=(8, 1, 3, 3), b2=(8,), w3=(8, 8, 1, 1), b3=(8,), fw=(5, 8), fb=(5,)
            ),
            onnx.numpy_helper.from_array(np.float32(0), "low"),
            onnx.numpy_helper.from_array(np.float32(6), "high"),
        ],
        opset=17,
    )


def branching_net(seed: int) -> onnx.ModelProto:
    """Gates, joins, pools with padding, resizing, a transposed convolution, softmax."""
    sizes = {"sc": np.asarray([1, 1, 2, 2], np.float32), "pads": np.asarray([0, 0, 1, 0, 0, 0, 0, 1], np.int64)}
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return model(
        [
            node("Conv", ["x", "w1", "b1"], ["c1"], name="c1", pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Sigmoid", ["c1"], ["sg"], name="sg"),
            node("Mul", ["c1", "sg"], ["m"], name="m"),
            node("Conv", ["m", "w2"], ["c2"], name="c2"),
            node("LeakyRelu", ["c2"], ["l"], name="l", alpha=0.1),
            node("AveragePool", ["m"], ["a"], name="a", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
            node("Concat", ["l", "a", "m"], ["j"], name="j", axis=1),
            node("Resize", ["j", "", "sc"], ["r"], name="r", **nearest),
            node("ConvTranspose", ["r", "w4"], ["t"], name="t", strides=[2, 2]),
            node("Pad", ["t", "pads"], ["pd"], name="pd"),
            node("MaxPool", ["pd"], ["mp"], name="mp", kernel_shape=[3, 3], strides=[3, 3]),
            node("ReduceMean", ["mp"], ["g"], name="g", axes=[2, 3], keepdims=0),
            node("Gemm", ["g", "fw", "fb"], ["h"], name="h"),
            node("Softmax", ["h"], ["y"], name="y", axis=-1),
        ],
        {"x": [1, 3, 12, 12]},
        ["y"],
        [
            *weights(seed, w1=(6, 3, 3, 3), b1=(6,), w2=(5, 6, 1, 1), w4=(17, 4, 2, 2), fw=(4, 7), fb=(7,)),
            *(constant(name, array) for name, array in sizes.items()),
        ],
    )


def attention_net(seed: int) -> onnx.ModelProto:
    """Products of activations, heads by reshape and transpose, softmax, a residual sum."""
    return model(
        [
            node("MatMul", ["x", "wq"], ["q0"], name="q0"),
            node("Add", ["q0", "bq"], ["q1"], name="q1"),
            node("MatMul", ["x", "wk"], ["k0"], name="k0"),
            node("MatMul", ["x", "wv"], ["v0"], name="v0"),
            *(node("Reshape", [a, "heads"], [y], name=y) for a, y in (("q1", "q2"), ("k0", "k2"), ("v0", "v2"))),
            node("Transpose", ["q2"], ["q"], name="q", perm=[0, 2, 1, 3]),
            node("Transpose", ["k2"], ["k"], name="k", perm=[0, 2, 3, 1]),
            node("Transpose", ["v2"], ["v"], name="v", perm=[0, 2, 1, 3]),
            node("MatMul", ["q", "k"], ["s"], name="s"),
            node("Mul", ["s", "root"], ["sd"], name="sd"),
            node("Softmax", ["sd"], ["p"], name="p", axis=-1),
            node("MatMul", ["p", "v"], ["o"], name="o"),
            node("Transpose", ["o"], ["ot"], name="ot", perm=[0, 2, 1, 3]),
            node("Reshape", ["ot", "flat"], ["of"], name="of"),
            node("MatMul", ["of", "wo"], ["oo"], name="oo"),
            node("Add", ["oo", "x"], ["y"], name="y"),
        ],
        {"x": [1, 7, 16]},
        ["y"],
        [
            *weights(seed, wq=(16, 16), wk=(16, 16), wv=(16, 16), wo=(16, 16), bq=(16,)),
            constant("heads", np.asarray([1, 7, 4, 4])),
            constant("flat", np.asarray([1, 7, 16])),
            constant("root", np.float32(0.5)),
        ],
    )


def line_net(seed: int) -> onnx.ModelProto:
    """One spatial axis."""
    return model(
        [
            node("Conv", ["x", "w1", "b1"], ["c"], name="c", strides=[2], pads=[1, 2]),
            node("Relu", ["c"], ["r"], name="r"),
            node("Conv", ["r", "w2"], ["d"], name="d", group=6, pads=[1, 2]),
            node("HardSigmoid", ["d"], ["hs"], name="hs"),
            node("Tanh", ["d"], ["th"], name="th"),
            node("Add", ["hs", "th"], ["s"], name="s"),
            node("GlobalAveragePool", ["s"], ["g"], name="g"),
            node("Flatten", ["g"], ["f"], name="f"),
            node("MatMul", ["f", "fw"], ["y"], name="y"),
        ],
        {"x": [1, 4, 30]},
        ["y"],
        weights(seed, w1=(6, 4, 5), b1=(6,), w2=(6, 1, 4), fw=(6, 5)),
    )


def quantized(made: onnx.ModelProto, path: Any, seed: int = 0, **options: Any) -> Any:
    """The path of the model after quantize_static."""
    rng = np.random.default_rng(seed)
    shapes = {v.name: [d.dim_value or 1 for d in v.type.tensor_type.shape.dim] for v in made.graph.input}
    feeds = [{n: rng.normal(0, 1, s).astype(np.float32) for n, s in shapes.items()} for _ in range(4)]
    float_path = path / "float.onnx"
    onnx.save(made, float_path)
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    quantize_static(str(float_path), str(path / "quantized.onnx"), _Batches(feeds), **options)
    logging.root.setLevel(level)
    return path / "quantized.onnx"


FORMATS = {"qdq": QuantFormat.QDQ, "qoperator": QuantFormat.QOperator}
TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
