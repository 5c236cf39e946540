"""Ethos-U cycles against a live Vela 5.2.0, in an environment of its own."""

import csv
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import hwsim
from hwsim.workload import load_workload
from tests.peers.vela_models import NETWORKS

REQUIREMENT = "ethos-u-vela==5.2.0"
MODELS = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant")
DEVICES = tuple(name for name in hwsim.archs() if name.startswith("ethos-"))
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
WIDE = ("ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048")
"""Layers of 1500 to 7000 cycles, of which latencies and transfers not modelled one by one are half"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def vela(tmp_path_factory) -> str:
    """The command of an environment with Vela; $REFQ_VELA names one that exists already."""
    given = os.environ.get("REFQ_VELA")
    if given:
        return given
    folder = tmp_path_factory.mktemp("vela")
    venv.create(folder, with_pip=True)
    place = folder / ("Scripts" if sys.platform == "win32" else "bin")
    command = [str(place / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"{REQUIREMENT} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return str(place / "vela")


def per_layer(vela: str, model: Path, device: str, folder: Path) -> list[dict[str, str]]:
    command = [vela, str(model), "--accelerator-config", device, "--output-dir", str(folder), "--verbose-performance"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    with (folder / f"{model.stem}_per-layer.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MODELS)
def test_cycles_of_networks_and_convolutions_are_near_those_of_the_compiler(shared, vela, tmp_path, device, name):
    model = shared / "models" / "mlperf_tiny" / f"{name}.tflite"
    rows = per_layer(vela, model, device, tmp_path)
    report = hwsim.estimate(load_workload(model), hwsim.load_arch(device))
    assert report.cycles == pytest.approx(sum(float(row["Op Cycles"]) for row in rows), rel=0.20)
    theirs = [float(row["Op Cycles"]) for row in rows if row["NNG Operator"] in CONVOLUTIONS]
    ours = [row.cycles for row in report.layers if row.op in CONVOLUTIONS]
    assert len(theirs) == len(ours)
    allowed = 0.55 if device in WIDE else 0.32
    for theirs_here, ours_here in zip(theirs, ours, strict=True):
        assert ours_here == pytest.approx(theirs_here, rel=allowed)


@pytest.mark.parametrize(
    "device", ["ethos-u55-32", "ethos-u55-256", "ethos-u65-256", "ethos-u85-256", "ethos-u85-2048"]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_no_constant_was_fitted_to_are_near_too(vela, tmp_path, device, name):
    model = tmp_path / f"{name}.tflite"
    model.write_bytes(NETWORKS[name]())
    rows = per_layer(vela, model, device, tmp_path)
    report = hwsim.estimate(load_workload(model), hwsim.load_arch(device))
    assert report.cycles == pytest.approx(sum(float(row["Op Cycles"]) for row in rows), rel=0.20)
    errors = sorted(
        abs(row.cycles / float(theirs["Op Cycles"]) - 1)
        for row, theirs in zip(
            sorted((row for row in report.layers if row.op in CONVOLUTIONS), key=lambda row: row.cycles),
            sorted((r for r in rows if r["NNG Operator"] in CONVOLUTIONS), key=lambda r: float(r["Op Cycles"])),
            strict=True,
        )
    )
    assert errors[len(errors) // 2] < 0.15
