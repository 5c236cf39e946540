"""Quantized ONNX models, written by onnxruntime.quantization from random float ones."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tests.peers.onnx_models import model, node, weights


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
