"""The cocotb benches pass, and fail where one expected value is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rtl.icarus import RTL, needs_icarus

pytest.importorskip("cocotb_tools.runner", reason="cocotb is not installed")
find_libpython = pytest.importorskip("find_libpython").find_libpython
pytestmark = [
    needs_icarus,
    pytest.mark.skipif(find_libpython() is None, reason="this Python has no shared library, which cocotb embeds"),
]

RUN = """
import json, sys
from cocotb_tools.runner import get_results, get_runner
top, sources, parameters, environment = json.loads(sys.argv[1])
runner = get_runner("icarus")
runner.build(sources=sources, hdl_toplevel=top, build_dir="build", parameters=parameters, always=True,
             timescale=("1ns", "1ps"))
results = runner.test(hdl_toplevel=top, test_module=f"tests.rtl.cocotb_{top.removesuffix('_os')}", build_dir="build",
                      test_dir="build", extra_env=environment, results_xml="results.xml")
print("tests %d, failures %d" % get_results(results))
"""


def run_cocotb(top: str, sources: list[str], parameters: dict, environment: dict[str, str], folder: Path) -> str:
    """What a bench printed; a process of its own, so that nothing it does to its environment stays."""
    given = json.dumps([top, [str(RTL / name) for name in sources], parameters, environment])
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COCOTB"))}
    ran = subprocess.run(
        [sys.executable, "-c", RUN, given],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(RTL.parents[1])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return ran.stdout + ran.stderr


def systolic(folder: Path, rows: int, cols: int, environment: dict[str, str]) -> str:
    parameters = {"ROWS": rows, "COLS": cols, "A_BITS": 9}
    return run_cocotb("systolic_os", ["systolic_os.v", "skew.v"], parameters, environment, folder)


@pytest.mark.parametrize(("rows", "cols"), [(4, 3), (2, 5)])
def test_systolic_array_under_the_scoreboard(rows, cols, tmp_path):
    output = systolic(tmp_path, rows, cols, {})
    assert "tests 1, failures 0" in output, output


def test_a_wrong_expected_sum_fails_the_bench_and_is_reported(tmp_path):
    output = systolic(tmp_path, 4, 3, {"REFQ_CORRUPT": "3"})
    assert "tests 1, failures 1" in output, output
    assert "1 mismatches (1 value)" in output
    assert "item 3 at" in output


@pytest.mark.parametrize(("profile", "mode"), [("litert", 0), ("dyadic", 3)])
def test_requantizer_under_the_scoreboard(profile, mode, tmp_path):
    output = run_cocotb("requantize", ["requantize.v"], {"MODE": mode}, {"REFQ_PROFILE": profile}, tmp_path)
    assert "tests 1, failures 0" in output, output


def test_a_wrong_rounding_fails_the_bench_and_is_named(tmp_path):
    output = run_cocotb("requantize", ["requantize.v"], {"MODE": 1}, {"REFQ_PROFILE": "litert"}, tmp_path)
    assert "tests 1, failures 1" in output, output
    assert "likeliest cause: rounding: one rounding, half up, where double is right" in output


def test_a_wrong_expected_code_fails_the_bench(tmp_path):
    environment = {"REFQ_PROFILE": "litert", "REFQ_CORRUPT": "7"}
    output = run_cocotb("requantize", ["requantize.v"], {"MODE": 0}, environment, tmp_path)
    assert "tests 1, failures 1" in output, output
    assert "item 7 at" in output
