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


NETS = {"image": image_net()}


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
