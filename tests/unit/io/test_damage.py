"""What damaged files may cost: one line of text, and never the process."""

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import refq
from models.keras_writer import Network
from refq.errors import LoadError, ShapeError
from refq.io.damage import told
from tests.unit.small_graphs import residual

ROOT = Path(__file__).resolve().parents[3]


def test_control_characters_of_a_name_in_the_file_do_not_reach_the_terminal():
    with pytest.raises(ShapeError) as error, told(Path("m.onnx"), "broken"):
        raise ShapeError("tensor a\nb\x1b[31m\ud800 is é")
    assert str(error.value) == r"m.onnx: tensor a b\x1b[31m\ud800 is é"


def test_a_long_text_keeps_its_beginning_and_end():
    with pytest.raises(LoadError) as error, told(Path("m.onnx"), "broken"):
        raise LoadError(f"no converter for {'y' * 50_000}; remove it")
    assert str(error.value).startswith("m.onnx: no converter for yyy")
    assert str(error.value).endswith("yyy; remove it")
    assert len(str(error.value)) < 3100


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("by zero"), MemoryError(), RuntimeWarning("a\nb"), RecursionError("x")]
)
def test_whatever_a_parser_raises_becomes_a_load_error(raised):
    with pytest.raises(LoadError, match=f"m.onnx: broken: {type(raised).__name__}"), told(Path("m.onnx"), "broken"):
        raise raised


def test_an_interrupt_is_not_taken_for_damage():
    with pytest.raises(KeyboardInterrupt), told(Path("m.onnx"), "broken"):
        raise KeyboardInterrupt


def without_free_size(data: bytes) -> bytes:
    """The file with the size of the free space in its last global heap set to zero."""
    start = data.rindex(b"GCOL\x01")
    at = start + 16
    while index := int.from_bytes(data[at : at + 2], "little"):
        assert index < 100
        at += 16 + -(-int.from_bytes(data[at + 8 : at + 16], "little") // 8) * 8
    return data[: at + 8] + bytes(8) + data[at + 16 :]


def native(path):
    refq.save(residual(), path)


def keras(path):
    net = Network("tiny")
    net.output(net.dense(net.input((3,)), 2, name="head"))
    net.save(path)
    with h5py.File(path, "r+") as file:  # as Keras itself writes it
        config = file.attrs["model_config"]
        del file.attrs["model_config"]
        file.attrs.create("model_config", config, dtype=h5py.string_dtype())


def test_free_space_of_no_size_is_refused_before_the_hdf5_library_loops_over_it(tmp_path):
    path = tmp_path / "loop.h5"
    keras(path)
    refq.load(path)
    path.write_bytes(without_free_size(path.read_bytes()))
    call = f"import refq, sys\ntry: refq.load({str(path)!r})\nexcept ValueError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(f"{path}: damaged HDF5 file: the global heap at ")


def test_a_text_that_claims_more_bytes_than_the_file_has_takes_no_memory(tmp_path):
    path = tmp_path / "claim.h5"
    keras(path)
    data = path.read_bytes()
    with h5py.File(path) as file:
        text = file.attrs["model_config"].encode()
    place = re.search(len(text).to_bytes(4, "little") + b".{8}[^\0]\0\0\0", data, re.DOTALL)  # length, heap, index
    assert place is not None
    path.write_bytes(data[: place.start()] + (3 << 28 | 1 << 72).to_bytes(12, "little") + data[place.start() + 12 :])
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_peak()
    with pytest.raises(LoadError, match=r"damaged HDF5 file: texts of 805306368 bytes"):
        refq.load(path)
    assert resident_peak() < before + (100 << 20)


def resident_peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def test_overlapping_heaps_do_not_multiply_the_work(tmp_path):
    path = tmp_path / "heaps.h5"
    native(path)
    heap = b"GCOL\x01\0\0\0" + (1 << 18).to_bytes(8, "little")
    path.write_bytes(path.read_bytes() + heap * 20_000 + bytes(1 << 18))
    with pytest.raises(LoadError, match="global heap"):
        refq.load(path)


def test_a_description_of_the_wrong_shape_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.h5"
    native(path)
    with h5py.File(path, "r+") as file:
        del file["graph"]
        file.create_dataset("graph", shape=(1 << 40,), dtype="f4", chunks=(1 << 10,))
    with pytest.raises(LoadError, match=r"dataset '/graph' of float32 and shape \(1099511627776,\) is no text"):
        refq.load(path)


@pytest.mark.parametrize("kind", [h5py.string_dtype(), "S8", "u1"])
def test_a_description_that_is_no_plain_bytes_of_the_file_is_refused(tmp_path, kind):
    path = tmp_path / "text.h5"
    native(path)
    with h5py.File(path, "r+") as file:
        del file["graph"]
        file.create_dataset("graph", shape=(1 << 20,), dtype=kind)
    with pytest.raises(LoadError, match="is no text of the file"):
        refq.load(path)


def test_text_of_an_archive_may_not_unpack_beyond_proportion(tmp_path):
    path, out = tmp_path / "bomb.keras", io.BytesIO()
    with h5py.File(out, "w") as file:
        file["x"] = np.zeros(1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        noise = (
            np.random.default_rng(0).bytes(8000).hex()
        )  # so that deflate shrinks the text to a 200th, not to nothing
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": [noise + " " * 3_000_000]}))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", out.getvalue())
    with pytest.raises(LoadError, match=r"config\.json unpacks from \d+ to \d+ bytes; refused"):
        refq.load(path)


def test_defaults_as_long_as_a_huge_input_are_refused(tmp_path):
    net, path = Network("tiny"), tmp_path / "huge.h5"
    config = {"axis": -1, "center": False, "scale": False, "epsilon": 1e-3}
    net.output(net._add("LayerNormalization", [net.input((1 << 32,))], (1 << 32,), config, "norm"))
    net.save(path)
    with pytest.raises(ShapeError, match=r"a constant of shape \(4294967296,\) is unusable; at most 16777216"):
        refq.load(path)
