import json

import h5py
import numpy as np
import pytest

import refq
from refq.errors import LoadError
from refq.io.native import read
from tests.unit.small_graphs import images, residual


@pytest.fixture
def saved(tmp_path):
    graph = refq.quantize(residual(), images(16))
    path = tmp_path / "model.h5"
    refq.save(graph, path)
    return graph, path


def test_all_three_paths_survive_the_file_bit_for_bit(saved):
    graph, path = saved
    again = read(path)
    assert str(again) == str(graph)
    for kind in ("float", "fake", "integer"):
        before, after = refq.trace(graph, images(4), path=kind), refq.trace(again, images(4), path=kind)
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)


def test_an_interrupted_write_leaves_the_old_file_whole(saved, monkeypatch):
    graph, path = saved
    before = path.read_bytes()
    monkeypatch.setattr(json, "dumps", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        refq.save(graph, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_other_suffixes_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(LoadError, match=r"refq writes \.h5 files"):
        refq.save(residual(), tmp_path / "model.tflite")
    with pytest.raises(LoadError, match="does not exist"):
        refq.save(residual(), tmp_path / "nowhere" / "model.h5")


def damage(path, change):
    with h5py.File(path, "r+") as file:
        text = json.loads(file["graph"][()].tobytes())
        change(text, file)
        del file["graph"]
        file["graph"] = np.frombuffer(json.dumps(text).encode(), np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        lambda text, file: text.pop("nodes"),
        lambda text, file: text["nodes"][0].update(inputs=["nothing"]),
        lambda text, file: text["tensors"][0]["qparams"].update(scale=-1.0),
        lambda text, file: text["tensors"][0].update(shape=None),
        lambda text, file: text["constants"].update({"conv/kernel": "elsewhere"}),
        lambda text, file: file.attrs.update(refq_format=99),
    ],
)
def test_damaged_files_are_refused_with_one_line_that_names_them(saved, change):
    _, path = saved
    damage(path, change)
    with pytest.raises(ValueError, match=r"model\.h5") as error:
        read(path)
    assert "\n" not in str(error.value)
