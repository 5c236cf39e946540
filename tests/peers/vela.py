"""A live Vela 5.2.0 in an environment of its own, and our estimates beside its, by network and by layer."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import venv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hwsim
import refq
from hwsim.arch.spec import Arch
from hwsim.workload import load_workload
from refq.transforms import prepare

REQUIREMENT = "ethos-u-vela==5.2.0"
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")


class NoVela(Exception):
    """Vela cannot be installed here; the text says why."""


def command(folder: Path) -> str:
    """The command of an environment with Vela; $REFQ_VELA names one that exists already.

    Raises
    ------
    NoVela    the package index cannot be reached, or has no Vela for this Python
    """
    given = os.environ.get("REFQ_VELA")
    if given:
        return given
    venv.create(folder, with_pip=True)
    place = folder / ("Scripts" if sys.platform == "win32" else "bin")
    install = [str(place / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", REQUIREMENT]
    done = subprocess.run(install, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise NoVela(f"{REQUIREMENT} cannot be installed: {(done.stderr.strip() or done.stdout).splitlines()[-1]}")
    return str(place / "vela")


def rows_of(vela: str, model: Path, device: str, folder: Path, options: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Vela's table of operations: cycles of each, under the name of the tensor it writes."""
    run = [vela, str(model), "--accelerator-config", device, "--output-dir", str(folder), "--verbose-performance"]
    done = subprocess.run([*run, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stderr or done.stdout)[-2000:]
    with (folder / f"{model.stem}_per-layer.csv").open() as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Ours over theirs, less one: of the network, and of each convolution (name, error, share of the network)."""

    model: str
    device: str
    network: float
    convolutions: tuple[tuple[str, float, float], ...]

    @property
    def errors(self) -> np.ndarray:
        """Of the convolutions, without sign."""
        return np.abs([error for _, error, _ in self.convolutions])


def compare(rows: list[dict[str, str]], model: Path, arch: Arch) -> Comparison:
    """Our estimate of a model beside Vela's; layers that Vela writes into one tensor, as parts, are not told apart."""
    report = hwsim.estimate(load_workload(model), arch)
    writes = {node.name: node.outputs[0] for node in prepare(refq.load(model)).nodes}
    theirs: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["Original Operator"] != "Softmax":
            theirs[row["Name"].removesuffix("_act")] += float(row["Op Cycles"])
    total = sum(float(row["Op Cycles"]) for row in rows)
    found = [(row, theirs.get(writes.get(row.name, ""), 0.0)) for row in report.layers if row.op in CONVOLUTIONS]
    return Comparison(
        model=model.stem,
        device=arch.name,
        network=report.cycles / total - 1,
        convolutions=tuple((row.name, row.cycles / t - 1, t / total) for row, t in found if t > 0),
    )


def distribution(errors: np.ndarray) -> str:
    """Count, median, 95th percentile, maximum, and how many lie beyond 20 and 30 %."""
    sizes = np.abs(errors)
    if not sizes.size:
        return "n     0"
    beyond = (sizes > 0.2).sum(), (sizes > 0.3).sum()
    low, high = np.median(sizes), np.quantile(sizes, 0.95)
    return (
        f"n {len(sizes):5d}  median {low:5.1%}  p95 {high:6.1%}  max {sizes.max():7.1%}  "
        f"beyond 20 %: {beyond[0]}  beyond 30 %: {beyond[1]}"
    )
