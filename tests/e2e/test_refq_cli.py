"""The refq command as a user runs it."""

import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RESNET8 = str(ROOT / "models" / "resnet8.h5")


def refq(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "from refq.cli import main; main()", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_quantize_run_and_compare_from_files(tmp_path):
    data, model, out = tmp_path / "x.npy", tmp_path / "q.h5", tmp_path / "y.npy"
    np.save(data, np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32))
    refq("quantize", RESNET8, "--calibration", str(data), "-o", str(model))
    refq("run", str(model), str(data), "--path", "integer", "-o", str(out))
    assert np.load(out).shape == (8, 10)
    assert "SQNR" in refq("compare", str(model), str(data)).stdout
    assert "int8" in refq("info", str(model)).stdout


def test_bad_input_exits_with_2_and_writes_nothing(tmp_path):
    data = tmp_path / "x.npy"
    np.save(data, np.zeros((2, 5), np.float32))
    done = refq("quantize", RESNET8, "--calibration", str(data), "-o", str(tmp_path / "q.h5"), code=2)
    assert "shape (2, 5)" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["x.npy"]
    assert "no .npy or .npz" in refq("run", RESNET8, RESNET8, "-o", str(tmp_path / "y.npy"), code=2).stderr
