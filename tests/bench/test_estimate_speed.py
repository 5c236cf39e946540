"""Whole-process time and memory of the main job, from a cold shell with a warm disk."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUDGET = {"resnet8": 0.6, "resnet50": 1.2}
"""Seconds the process should take on a two-core machine."""
MOST_MB = 120
PEAK = """
import sys
from hwsim.cli import main
try:
    main()
finally:
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(status["VmHWM"].split()[0], file=sys.stderr)
"""
"""The command, and the peak of its own memory in KiB: what wait() tells of a child includes its parent before exec"""


@pytest.mark.parametrize("model", BUDGET)
def test_estimate_as_a_process(benchmark, model):
    call = [sys.executable, "-c", "from hwsim.cli import main; main()", "estimate", str(ROOT / f"models/{model}.h5")]
    call += ["--arch", "edgetpu"]

    def once():
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)

    benchmark.pedantic(once, rounds=7, warmup_rounds=1)
    median = benchmark.stats.stats.median
    done = subprocess.run([call[0], "-c", PEAK, *call[3:]], check=True, capture_output=True, text=True, cwd=ROOT)
    peak_mb = int(done.stderr.split()[-1]) / 1024
    print(f"\n{model}: median {median:.2f} s of {BUDGET[model]} s, peak {peak_mb:.0f} MB of {MOST_MB} MB")
    assert peak_mb <= MOST_MB
