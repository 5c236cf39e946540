"""The shipped models and their builders."""

import hashlib
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

import refq
from models import builders
from models.__main__ import SHIPPED, TRAINED, count

HERE = Path(__file__).resolve().parents[2] / "models"
MANIFEST = tomllib.loads((HERE / "manifest.toml").read_text())

# Published or, for VGG-16 and ResNet-18, the sum over layers of k * k * in * out * height * width.
MACS = {
    "resnet8": 12_501_632,
    "ds_cnn": 2_656_768,
    "mobilenet_v1_025_96": 7_489_664,
    "autoencoder": 264_192,
    "mobilenet_v1": 568_740_352,
    "mobilenet_v2": 300_774_272,
}
KERAS_PARAMS = {
    "mobilenet_v1": 4_253_864,
    "mobilenet_v2": 3_538_984,
    "resnet50": 25_636_712,
    "vgg16": 138_357_544,
}


@pytest.mark.parametrize("name", MACS)
def test_macs_equal_the_published_counts(name):
    assert count(HERE / f"{name}.h5")[0] == MACS[name]


@pytest.mark.parametrize("name", KERAS_PARAMS)
def test_parameters_equal_those_of_keras_applications(name):
    assert count(HERE / f"{name}.h5")[1] == KERAS_PARAMS[name]


def test_resnet50_macs_follow_from_its_table():
    total = 112 * 112 * 7 * 7 * 3 * 64 + 2048 * 1000
    inputs = 64
    for stage, (blocks, size) in enumerate(zip((3, 4, 6, 3), (56, 28, 14, 7), strict=True)):
        width = 64 << stage
        for _ in range(blocks):
            total += size * size * (inputs * width + 9 * width * width + width * 4 * width)
            if inputs != 4 * width:
                total += size * size * inputs * 4 * width
            inputs = 4 * width
    assert count(HERE / "resnet50.h5")[0] == total


@pytest.mark.parametrize("name", [*SHIPPED, *TRAINED])
def test_the_manifest_describes_the_file(name):
    path, entry = HERE / f"{name}.h5", MANIFEST[name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    assert count(path) == (entry["macs"], entry["params"])
    assert path.stat().st_size <= 1 << 20


def test_a_builder_writes_equal_bytes_for_equal_arguments(tmp_path):
    for name in ("one.h5", "two.h5"):
        builders()["resnet8"]().save(tmp_path / name, seed=3)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_a_builder_writes_the_values_it_is_given_in_place_of_random_ones(tmp_path):
    rng, path, network = np.random.default_rng(0), tmp_path / "resnet8.h5", builders()["resnet8"]()
    shapes = {key: array.shape for key, array in refq.load(HERE / "resnet8.h5").constants.items()}
    given = {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
    network.save(path, constants=given)
    found = refq.load(path).constants
    assert set(found) == set(given)
    for key, array in found.items():
        np.testing.assert_array_equal(array, given[key], err_msg=key)
    with pytest.raises(ValueError, match="'resnet8' has no weights \\['nothing'\\]"):
        network.save(path, constants={"nothing": np.zeros(1)})


def test_shape_only_files_store_no_weights_and_refuse_to_run():
    with h5py.File(HERE / "resnet50.h5") as file:
        sizes: list[int] = []
        file["model_weights"].visititems(
            lambda name, item: sizes.append(item.id.get_storage_size()) if isinstance(item, h5py.Dataset) else None
        )
    assert sizes
    assert not any(sizes)
    graph = refq.load(HERE / "resnet50.h5")
    assert graph.shape_only == set(graph.constants)
    with pytest.raises(ValueError, match="holds shapes only"):
        refq.run(graph, [[0.0]])


def test_the_shipped_digits_model_has_the_accuracy_its_manifest_states_on_all_paths():
    pytest.importorskip("sklearn")
    from models.train import accuracy, digits

    training, test = digits()
    graph = refq.load(HERE / "digits.h5")
    stated = float(MANIFEST["digits"]["accuracy"].split()[0])
    assert accuracy(graph, test) == pytest.approx(stated, abs=0.002)
    assert stated > 0.97
    quantized = refq.quantize(graph, training[0][:128])
    assert accuracy(quantized, test, "fake") > stated - 0.01
    assert abs(accuracy(quantized, test, "integer") - accuracy(quantized, test, "fake")) <= 0.005


def test_the_shipped_resnet8_has_the_accuracy_its_manifest_states_on_all_paths(shared):
    from models.train import accuracy, cifar

    training, test = cifar(shared / "data" / "cifar10_small.npz")
    graph = refq.load(HERE / "resnet8.h5")
    stated = float(MANIFEST["resnet8"]["accuracy"].split()[0])
    assert accuracy(graph, test) == pytest.approx(stated, abs=0.002)
    assert stated > 0.6
    quantized = refq.quantize(graph, training[0][:256])
    assert accuracy(quantized, test, "fake") > stated - 0.01
    assert abs(accuracy(quantized, test, "integer") - accuracy(quantized, test, "fake")) <= 0.01
