"""Building and running a plain Verilog bench under Icarus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RTL = Path(__file__).parent

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")


def run_bench(bench: str, folder: Path, parameters: dict[str, int], sources: dict[str, str] | None = None) -> str:
    """The output of a bench in `folder`, which holds its hex files.

    sources : file name -> other text, to simulate changed RTL
    """
    texts = sources or {}
    files: list[Path] = []
    for file in sorted(RTL.glob("*.v")):
        if file.name in texts:
            changed = folder / file.name
            changed.write_text(texts[file.name])
            files.append(changed)
        elif not file.name.startswith("tb_") or file.stem == bench:
            files.append(file)
    overrides = [f"-P{bench}.{name}={value}" for name, value in parameters.items()]
    build = [
        "iverilog",
        "-g2005",
        "-Wall",
        "-Wno-timescale",
        f"-I{RTL}",
        "-s",
        bench,
        "-o",
        "bench.vvp",
        *overrides,
        *map(str, files),
    ]
    built = subprocess.run(build, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(
        ["vvp", "-n", "bench.vvp"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
