"""Files the Keras reader must refuse with one clear line."""

import json
import zipfile

import h5py
import numpy as np
import pytest

import refq
from models.keras_writer import Network


@pytest.fixture
def written(tmp_path):
    net = Network("tiny")
    x = net.conv(net.input((8, 8, 3)), 4, 3)
    net.output(net.dense(net.global_average(x), 2, name="head"))
    path = tmp_path / "model.h5"
    net.save(path)
    return path


def edit(path, change):
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"], file)
        file.attrs["model_config"] = json.dumps(config)


def rename(kind):
    def change(layers, file):
        layers[1]["class_name"] = kind
        layers[2]["class_name"] = kind

    return change


def put_nan(layers, file):
    file["model_weights/head/head/kernel"][0, 0] = np.nan


def shrink(layers, file):
    layers[-1]["config"]["units"] = 3


def open_sizes(layers, file):
    layers[0]["config"]["batch_shape"] = [None, None, None, 3]


def cycle(layers, file):
    layers[1]["inbound_nodes"] = json.loads(json.dumps(layers[-1]["inbound_nodes"]).replace(layers[2]["name"], "head"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (rename("Lambda"), "no converter for Lambda 'conv2d', Lambda 'globalaveragepooling2d'"),
        (rename("MyLayer"), "no converter for MyLayer 'conv2d'"),
        (put_nan, "holds NaN"),
        (shrink, r"weight 'kernel' has shape \(4, 2\), its configuration and input give \(4, 3\)"),
        (open_sizes, "--input-shape H,W,C"),
        (cycle, "waits for a tensor that no layer produces"),
        (lambda layers, file: layers[0]["config"].update(batch_shape=[None, 1 << 30, 1 << 30, 3]), "unusable shape"),
        (lambda layers, file: layers[1].pop("config"), "model.h5"),
        (lambda layers, file: file.__delitem__("model_weights/head/head/bias"), "which the file lacks"),
    ],
)
def test_one_line_names_the_file_and_the_cause(written, change, text):
    edit(written, change)
    with pytest.raises(ValueError, match=text) as error:
        refq.load(written)
    assert str(written) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_input_shape_fills_open_sizes(written):
    edit(written, open_sizes)
    assert refq.load(written, input_shape=(10, 12, 3)).tensors["conv2d"].shape == (1, 10, 12, 4)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", None])
def test_broken_archives_are_refused(tmp_path, content):
    path = tmp_path / "model.keras"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.keras"):
        refq.load(path)


@pytest.mark.parametrize("size", [0, 100, 1000, 4000])
def test_truncated_files_are_refused(written, size):
    written.write_bytes(written.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model\.h5: (not an HDF5|truncated)"):
        refq.load(written)


def test_flipped_bytes_never_escape_as_another_error(written):
    whole = written.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(0, 256)
        written.write_bytes(bytes(damaged))
        try:
            refq.load(written)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017
