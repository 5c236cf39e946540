"""refq vectors and refq verify: files, exit codes, one line a complaint."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import refq
from refq.cli import main
from tests.unit.verify.graphs import quantized_residual


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.h5"
    refq.save(quantized_residual()[0], path)
    return path


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return int(ended.value.code or 0)


def test_vectors_then_equal_then_wrong_dumps(model, tmp_path, capsys):
    target = tmp_path / "v"
    assert run("vectors", model, "-o", target, "--array", "4,4", "--seed", "3") == 0
    assert capsys.readouterr().out.strip() == str(target / "manifest.json")
    layer = json.loads((target / "manifest.json").read_text())["layers"][0]
    (tmp_path / "d" / layer["folder"]).mkdir(parents=True)
    dump = tmp_path / "d" / layer["folder"] / "y.hex"
    shutil.copy(target / layer["folder"] / "y.hex", dump)
    assert run("verify", target, "--dut", tmp_path / "d") == 0
    assert "1 tensors equal" in capsys.readouterr().out
    first = dump.read_text()
    dump.write_text(f"{int(first[:2], 16) ^ 1:02x}{first[2:]}")
    assert run("verify", target, "--dut", tmp_path / "d") == 1
    assert "1 wrong, 0 unknown" in capsys.readouterr().out
    dump.write_text("zz")
    assert run("verify", target, "--dut", tmp_path / "d") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("refq: ")
    assert captured.err.count("\n") == 1


def test_a_taken_folder_needs_force(model, tmp_path, capsys):
    assert run("vectors", model, "-o", tmp_path / "v") == 0
    assert run("vectors", model, "-o", tmp_path / "v") == 2
    assert "--force" in capsys.readouterr().err
    assert run("vectors", model, "-o", tmp_path / "v", "--force") == 0


def test_too_little_coverage_fails_and_corners_reach_it_all(model, tmp_path, capsys):
    assert run("vectors", model, "-o", tmp_path / "v", "--coverage", "1") == 2
    assert "not reached" in capsys.readouterr().err
    assert run("vectors", "--corners", "-o", tmp_path / "c", "--array", "4,4", "--coverage", "1") == 0
    assert "coverage 100%" in capsys.readouterr().out


def test_data_are_read_from_a_file_and_chosen_layers_written(model, tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (3, *refq.load(model).tensors["x"].shape[1:])).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    name = refq.load(model).nodes[0].name
    assert run("vectors", model, "-o", tmp_path / "v", "--data", tmp_path / "x.npy", "--layer", name) == 0
    (layer,) = json.loads((tmp_path / "v/manifest.json").read_text())["layers"]
    assert layer["tensors"]["x"]["shape"] == [1, *x.shape[1:]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("vectors", "-o", "v"),
        ("vectors", "--corners", "-o", "v", "--array", "4"),
        ("vectors", "--corners", "-o", "v", "--array", "0,4"),
        ("vectors", "none.h5", "-o", "v"),
        ("vectors", "--corners", "-o", "v", "--arithmetic", "none"),
        ("verify", "none", "--dut", "none"),
    ],
)
def test_wrong_usage_ends_with_two_and_writes_nothing(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
