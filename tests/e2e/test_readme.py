"""The README's examples run, and the output it quotes is what the command prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS)
def test_python_examples_run(code, tmp_path):
    (tmp_path / "models").symlink_to(ROOT / "models")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_quoted_estimate_is_what_the_command_prints():
    arguments = ["estimate", "models/resnet8.h5", "--arch", "edgetpu", "--no-layers"]
    call = [sys.executable, "-c", "from hwsim.cli import main; main()", *arguments]
    printed = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert printed in README
