"""No damaged model file gets past the readers: a Graph, or one line that names the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tflite")
pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")

from tests.fuzz import seeds
from tests.fuzz.child import cases

_ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="a case's memory is read from /proc")


def failures(whole: dict[str, bytes], folder: Path, first: int, last: int) -> list[str]:
    """What went wrong in a range of cases, run in a process of their own."""
    places = [folder / "seeds", folder / "work"]
    for place in places:
        place.mkdir()
    for name, data in whole.items():
        (places[0] / name).write_bytes(data)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", *map(str, places), str(first), str(last)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ended.stdout.splitlines()
    found = [json.loads(line.removeprefix("FAIL ")) for line in lines if line.startswith("FAIL ")]
    texts = [f"{f['case']} ({f['done']}): {f['found']}" for f in found]
    started = [line.removeprefix("START ") for line in lines if line.startswith("START ")]
    if lines[-1:] != ["DONE"]:
        texts.append(f"{started[-1:]}: the process ended with {ended.returncode}: {ended.stderr[-3000:]}")
    else:
        assert started == list(cases(sorted(whole), first, last))
    return texts


def test_small_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    found = failures(seeds.small(made), tmp_path, 0, 200)
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_many_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    shared = os.environ.get("REFQ_SHARED")
    made = tmp_path / "made"
    made.mkdir()
    whole = seeds.small(made) | seeds.large(Path(shared) if shared else None, made)
    found = failures(whole, tmp_path, 1000, 3000)
    assert not found, "\n".join(found)
