"""Float path against Keras itself, and the trained reference models."""

import numpy as np
import pytest

import refq


@pytest.mark.parametrize("name", ["mobilenet_025_96", "seqmix"])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_float_path_equals_keras(shared, name, suffix):
    folder = shared / "models" / "keras_parity"
    expected = np.load(folder / f"{name}.npz")
    found = refq.run(refq.load(folder / f"{name}.{suffix}"), expected["x"])
    outputs = found if isinstance(found, tuple) else (found,)
    for i, y in enumerate(outputs):
        np.testing.assert_allclose(y, expected[f"y{i}"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["DenseNet121", "EfficientNetB0", "MobileNet", "ResNet50", "VGG16", "MobileNetV3Small"]
)
def test_shape_only_applications_load_and_ask_for_a_size_where_it_is_open(shared, name):
    path = shared / "models" / "keras_shapes" / f"{name}.h5"
    if name == "MobileNetV3Small":
        with pytest.raises(ValueError, match="--input-shape H,W,C"):
            refq.load(path)
    graph = refq.load(path, input_shape=(224, 224, 3) if name == "MobileNetV3Small" else None)
    assert graph.tensors[graph.outputs[0]].shape == (1, 1000)
    held = sum(array.nbytes if array.strides and any(array.strides) else 4 for array in graph.constants.values())
    assert held < 1 << 20  # no memory for weights that were never written


@pytest.fixture(scope="module")
def resnet8(shared):
    data = np.load(shared / "data" / "cifar10_small.npz")
    graph = refq.load(shared / "models" / "mlperf_tiny" / "pretrainedResnet.h5")
    return graph, refq.quantize(graph, data["x_train"][:256].astype(np.float32)), data


def test_integer_resnet8_is_within_one_point_of_float(resnet8):
    graph, quantized, data = resnet8
    x, labels = data["x_test"].astype(np.float32), data["y_test"]
    accuracy = {
        path: 100 * np.mean(np.argmax(refq.run(g, x, path=path), axis=1) == labels)
        for g, path in ((graph, "float"), (quantized, "integer"))
    }
    assert accuracy["float"] == pytest.approx(73.4, abs=0.2)
    assert abs(accuracy["float"] - accuracy["integer"]) <= 1.0


def test_resnet8_fake_and_integer_agree_within_one_step_at_every_node(resnet8):
    _, quantized, data = resnet8
    assert all(row.max_step <= 1 for row in refq.compare(quantized, data["x_test"][:64].astype(np.float32)).rows)


def test_no_float_array_exists_on_the_integer_path_of_resnet8(resnet8):
    _, quantized, data = resnet8
    values = refq.trace(quantized, data["x_test"][:4].astype(np.float32), path="integer")
    assert {array.dtype.kind for array in values.values()} == {"i"}


def test_the_autoencoder_runs(shared):
    graph = refq.load(shared / "models" / "mlperf_tiny" / "ad01.h5")
    y = refq.run(graph, np.random.default_rng(0).normal(size=(3, 640)).astype(np.float32))
    assert y.shape == (3, 640)
    assert np.all(np.isfinite(y))
