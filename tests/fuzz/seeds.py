"""Whole model files of every format to start from: name -> bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import refq
from models.keras_writer import Network
from tests.fuzz import operator_seeds
from tests.peers import mac_models
from tests.peers.litert import Op, Tensor, build
from tests.unit.small_graphs import images, residual

_ROOT = Path(__file__).resolve().parents[2]
_SHARED = (
    "keras_parity/seqmix.h5",
    "keras_parity/seqmix.keras",
    "keras_shapes/VGG16.h5",
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/kws_ref_model_float32.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
)


def small(folder: Path) -> dict[str, bytes]:
    """Files of a few kilobytes, made here."""
    operators = {**operator_seeds.native(folder), **operator_seeds.keras(folder), **operator_seeds.tflite()}
    return {**_hdf5(folder), **_tflite(), **_onnx(folder), **operators}


def large(shared: Path | None, folder: Path) -> dict[str, bytes]:
    """ONNX' node tests, shipped models, and published ones where the shared folder is."""
    found = operator_seeds.onnx(folder)
    found |= {
        path.name: path.read_bytes() for path in sorted((_ROOT / "models").glob("*.h5")) if path.stat().st_size < 3e5
    }
    if shared is not None:
        files = [shared / "models" / name for name in _SHARED]
        found |= {path.name: path.read_bytes() for path in files if path.is_file()}
    return found


def _hdf5(folder: Path) -> dict[str, bytes]:
    net = Network("tiny")
    x = net.conv(net.input((8, 8, 3)), 4, 3)
    net.output(net.dense(net.global_average(x), 2, name="head"))
    net.save(folder / "keras.h5")
    refq.save(residual(), folder / "native.h5")
    refq.save(refq.quantize(residual(), images(8)), folder / "native_int8.h5")
    coded = {"native_vq.h5": "vq", "native_groups.h5": "w4g32a8", "native_bases.h5": "binary-code2"}
    for name, recipe in coded.items():
        refq.save(refq.quantize(residual(), images(8), recipe), folder / name)
    names = ("keras.h5", "native.h5", "native_int8.h5", *coded)
    return {name: (folder / name).read_bytes() for name in names}


def _tflite() -> dict[str, bytes]:
    one_operator = {
        "conv": mac_models.conv(1)[0],
        "conv_int4": mac_models.conv(2, weights="int4")[0],
        "depthwise": mac_models.depthwise(3)[0],
        "transpose_conv": mac_models.transpose_conv(4)[0],
        "dense_int16": mac_models.dense(5, "int16")[0],
        "batch_matmul": mac_models.batch_matmul(6)[0],
    }
    return {f"{name}.tflite": data for name, data in {**one_operator, "shapes": _shapes()}.items()}


def _shapes() -> bytes:
    """Operators that read sizes and axes from constants."""

    def activation(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, "int8", scale=0.1, zero_point=3)

    def numbers(name: str, values: object) -> Tensor:
        array = np.asarray(values, np.int32)
        return Tensor(name, array.shape, "int32", data=array)

    tensors = [
        activation("x", 1, 4, 6, 2),
        *(numbers("pads", [[0, 0], [1, 1], [0, 2], [0, 0]]), activation("padded", 1, 6, 8, 2)),
        *(numbers("begin", [0, 1, 0, 0]), numbers("end", [0, 5, 8, 2]), numbers("step", [1, 1, 2, 1])),
        *(activation("cut", 1, 4, 4, 2), numbers("size", [8, 4]), activation("resized", 1, 8, 4, 2)),
        *(numbers("axis", 3), activation("left", 1, 8, 4, 1), activation("right", 1, 8, 4, 1)),
        *(activation("joined", 1, 8, 8, 1), numbers("order", [0, 2, 1, 3]), activation("turned", 1, 8, 8, 1)),
        *(numbers("axes", [1, 2]), activation("mean", 1, 1), numbers("shape", [1, 1, 1]), activation("y", 1, 1, 1)),
    ]
    ops = [
        Op("PAD", ["x", "pads"], ["padded"]),
        Op("STRIDED_SLICE", ["padded", "begin", "end", "step"], ["cut"], {"begin_mask": 1, "end_mask": 1}),
        Op("RESIZE_NEAREST_NEIGHBOR", ["cut", "size"], ["resized"]),
        Op("SPLIT", ["axis", "resized"], ["left", "right"], {"num_splits": 2}),
        Op("CONCATENATION", ["left", "right"], ["joined"], {"axis": 2}),
        Op("TRANSPOSE", ["joined", "order"], ["turned"]),
        Op("MEAN", ["turned", "axes"], ["mean"]),
        Op("RESHAPE", ["mean", "shape"], ["y"], {"new_shape": (1, 1, 1)}),
    ]
    return build(tensors, ops, ["x"], ["y"])


def _onnx(folder: Path) -> dict[str, bytes]:
    from tests.peers.quantized_onnx_models import (
        FORMATS,
        attention_net,
        branching_net,
        line_net,
        quantized,
        residual_net,
    )
    from tests.peers.test_onnx_float import NETS

    nets = {"branching": branching_net(1), "line_1": line_net(2), **NETS}
    found = {f"{name}.onnx": made.SerializeToString() for name, made in nets.items()}
    for form, made in (("qdq", residual_net(3)), ("qoperator", attention_net(4)), ("qoperator", branching_net(5))):
        path = quantized(made, folder, quant_format=FORMATS[form], per_channel=form == "qdq")
        found[f"{form}_{len(found)}.onnx"] = path.read_bytes()
    return found
