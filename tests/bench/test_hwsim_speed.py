"""Speed of the cost model itself: one network on every device, and a network on thousands of design points."""

import time
from pathlib import Path

import numpy as np
import pytest

import hwsim
from hwsim.engines import base, systolic
from hwsim.points import at_points
from hwsim.workload import load_workload

MODEL = Path(__file__).resolve().parents[2] / "models" / "resnet50.h5"
BUDGET_MS = 5.0
BUDGET_PER_SECOND = 200_000


@pytest.fixture(scope="module")
def resnet50():
    return load_workload(str(MODEL))


def _forget():
    systolic._best.cache_clear()
    base._TABLES.clear()


@pytest.mark.parametrize("name", hwsim.archs())
def test_estimate_of_a_loaded_network(benchmark, resnet50, name):
    arch = hwsim.load_arch(name)
    if "w8a8" not in arch.precisions and arch.precisions:
        weights, activations = (int(part) for part in arch.precisions[0][1:].split("a"))
        resnet50 = load_workload(str(MODEL), weights=weights, activations=activations)
    hwsim.estimate(resnet50, arch)
    benchmark.pedantic(hwsim.estimate, (resnet50, arch), setup=_forget, rounds=15)
    print(f"\n{name}: {1e3 * benchmark.stats.stats.median:.2f} ms of {BUDGET_MS} ms")
    assert benchmark.stats.stats.min * 1e3 <= BUDGET_MS


@pytest.mark.parametrize("name", ["edgetpu", "systolic-16x16", "gap8"])
def test_design_points(resnet50, name):
    arch, rng, count = hwsim.load_arch(name), np.random.default_rng(0), 4000
    values = {"clock_mhz": rng.uniform(50, 1000, count), "memory.0.size_kib": rng.integers(1, 4096, count)}
    if arch.array is not None:
        values |= {"array.rows": rng.integers(4, 129, count), "array.cols": rng.integers(4, 129, count)}
    spent = []
    for _ in range(3):
        _forget()
        start = time.process_time()
        found = at_points(resnet50, arch, values)
        spent.append(time.process_time() - start)
    rate = found.layer_us.size / min(spent)
    print(f"\n{name}: {rate:,.0f} layers x points a second of one core, {BUDGET_PER_SECOND:,} asked")
    assert rate >= BUDGET_PER_SECOND
