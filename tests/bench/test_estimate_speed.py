"""Whole-process time and memory of the main job, from a cold shell with a warm disk."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUDGET = {"resnet8": 0.6, "resnet50": 1.2}
"""Seconds the process should take on a two-core machine."""


@pytest.mark.parametrize("model", BUDGET)
def test_estimate_as_a_process(benchmark, model):
    call = [sys.executable, "-c", "from hwsim.cli import main; main()", "estimate", str(ROOT / f"models/{model}.h5")]
    call += ["--arch", "edgetpu"]

    def once():
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)

    benchmark.pedantic(once, rounds=7, warmup_rounds=1)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    median = benchmark.stats.stats.median
    print(f"\n{model}: median {median:.2f} s of {BUDGET[model]} s, peak {peak_mb:.0f} MB of 120 MB")
