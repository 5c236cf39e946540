"""The tutorial runs as it is written, from a user's module to the report."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.rtl.icarus import RTL, needs_icarus

pytestmark = needs_icarus

ROOT = RTL.parents[1]
BLOCKS = re.findall(r"```(verilog|bash|python)\n(.*?)```", (RTL / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> list[str]:
    """What every block that is run printed, in order."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "resnet8.h5").symlink_to(ROOT / "models/resnet8.h5")
    binaries = folder / "bin"
    binaries.mkdir()
    for name, arguments in (("refq", '-c "from refq.cli import main; main()" '), ("python3", "")):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (binaries / name).chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{binaries}:{os.environ['PATH']}"}
    printed: list[str] = []
    for language, code in BLOCKS:
        if language == "verilog":
            (folder / code.splitlines()[0].removeprefix("// ")).write_text(code)
            continue
        call = [sys.executable, "-c", code] if language == "python" else ["bash", "-ec", code]
        ran = subprocess.run(
            call, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
        assert ran.returncode == 0, f"{code}\n{ran.stdout}\n{ran.stderr}"
        printed.append(ran.stdout + ran.stderr)
    return printed


def test_corner_layers_and_a_real_layer_are_equal(outputs):
    assert outputs[2].splitlines()[-1] == "28 tensors equal"
    assert outputs[4].splitlines()[-1] == "1 tensors equal"


def test_a_forgotten_sign_fails_and_is_named(outputs):
    assert "exit code 1" in outputs[3]
    assert "likeliest cause over all of them: sign extension: operands as wide as in memory" in outputs[3]


def test_the_scoreboard_sees_every_sum(outputs):
    assert int(outputs[5]) == 1024 * 16


def test_the_quoted_results_are_those_printed():
    text = (RTL / "README.md").read_text(encoding="utf-8")
    assert "`28 tensors equal`" in text
    assert "`sign extension: operands as wide as in memory multiplied as unsigned`" in text
