"""The `scalesim` convention against a live SCALE-Sim 3.0.0, in an environment of its own since it needs NumPy 2.2."""

import json
import os
import random
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from hwsim.machine.closed_form import mapping_efficiency, scalesim_gemm, systolic_cycles, systolic_utilization

REQUIREMENTS = ("scalesim==3.0.0", "numpy==2.2.6")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DRIVER = '''
import contextlib, csv, io, json, os, sys, tempfile
from scalesim.scale_sim import scalesim

CONFIG = """[general]
run_name = run
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {cols}
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: {flow}
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""

def rows_of(job):
    rows, cols, flow, is_gemm, layers = job
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("config.cfg", "topology.csv", "layout.csv")]
        numbers = [",".join(map(str, layer)) for layer in layers]
        lines = [CONFIG.format(rows=rows, cols=cols, flow=flow)]
        lines.append("\\n".join(["head,", *(f"L{i},{text}," for i, text in enumerate(numbers))]) + "\\n")
        lines.append("\\n".join(["head,", *(f"L{i}," + "1," * 30 for i in range(len(layers)))]) + "\\n")
        for path, text in zip(paths, lines):
            with open(path, "w") as file:
                file.write(text)
        with contextlib.redirect_stdout(io.StringIO()):
            peer = scalesim(True, False, *paths, is_gemm)
            peer.run_scale(top_path=folder)
        with open(os.path.join(folder, "run", "COMPUTE_REPORT.csv")) as file:
            table = [[cell.strip() for cell in row] for row in csv.reader(file)]
    place = [table[0].index(name) for name in ("Total Cycles", "Overall Util %", "Mapping Efficiency %")]
    return [[float(row[i]) for i in place] for row in table[1:]]

print(json.dumps([rows_of(job) for job in json.load(sys.stdin)]))
'''


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """The interpreter of an environment with SCALE-Sim; $REFQ_SCALESIM_PYTHON names one that exists already."""
    given = os.environ.get("REFQ_SCALESIM_PYTHON")
    if given:
        return given
    folder = tmp_path_factory.mktemp("scalesim")
    venv.create(folder, with_pip=True)
    found = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(found), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"{', '.join(REQUIREMENTS)} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return str(found)


def jobs(count: int) -> list[tuple[int, int, str, bool, list[list[int]]]]:
    draw = random.Random(11)
    sizes = [(4, 4), (8, 3), (3, 8), (16, 16), (1, 5), (5, 1), (32, 2)]
    made = []
    for index in range(count):
        flow, is_gemm = ("os", "ws", "is")[index % 3], index % 2 == 0
        layers = []
        for _ in range(8):
            if is_gemm:
                layers.append([draw.randint(1, 40) for _ in range(3)])
                continue
            fh, fw = draw.choice([1, 1, 2, 3, 5]), draw.choice([1, 1, 2, 3, 4])
            image = [draw.randint(fh, 14), draw.randint(fw, 14)]
            layers.append([*image, fh, fw, draw.randint(1, 6), draw.randint(1, 20), draw.randint(1, 4)])
        made.append((*draw.choice(sizes), flow, is_gemm, layers))
    return made


def test_cycles_utilization_and_mapping_efficiency_equal_the_live_tool(python, tmp_path):
    driver = Path(tmp_path / "driver.py")
    driver.write_text(DRIVER)
    asked = jobs(24)
    done = subprocess.run(
        [python, str(driver)], input=json.dumps(asked), capture_output=True, text=True, timeout=600, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    compared = 0
    for (rows, cols, flow, is_gemm, layers), answer in zip(asked, answers, strict=True):
        for layer, (cycles, utilization, mapping) in zip(layers, answer, strict=True):
            gemm = layer if is_gemm else scalesim_gemm(*layer)
            case = (rows, cols, flow, layer)
            assert systolic_cycles(*gemm, rows, cols, flow) == cycles, case
            assert 100 * systolic_utilization(*gemm, rows, cols, flow) == pytest.approx(utilization, rel=1e-12), case
            assert 100 * mapping_efficiency(*gemm, rows, cols, flow) == pytest.approx(mapping, rel=1e-12), case
            compared += 1
    assert compared == 24 * 8
