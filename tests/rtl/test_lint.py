"""The reference RTL is Verilog-2005 that the compiler has nothing to say about."""

from __future__ import annotations

import subprocess

import pytest

from tests.rtl.icarus import RTL, needs_icarus

pytestmark = needs_icarus

MODULES = sorted(path.stem for path in RTL.glob("*.v") if not path.name.startswith("tb_"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_compiles_without_a_warning(module, tmp_path):
    sources = [str(RTL / f"{name}.v") for name in MODULES]
    call = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-s", module, "-o", str(tmp_path / "out"), *sources]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
