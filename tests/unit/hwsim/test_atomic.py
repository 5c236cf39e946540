"""NVDLA: array cycles by worked values, frames a second against the vendor's estimates."""

import csv

import pytest
from msgspec.structs import replace

import hwsim
import models
from hwsim.engines.base import columns, find_engine
from hwsim.workload import from_layers, load_workload
from tests.unit.hwsim.small_layers import add, conv, depthwise

FULL = hwsim.load_arch("nvdla-full")
ATOMS = {2048: (64, 32), 1024: (64, 16), 512: (32, 16), 256: (32, 8), 64: (8, 8)}


def compute(layer, arch=FULL):
    return float(find_engine("atomic").cycles(columns([layer]), arch).compute[0])


def test_a_cycle_takes_one_tap_of_a_pixel_for_all_channels_and_kernels():
    assert compute(conv(64, 32, 10)) == 9 * 100
    assert compute(conv(65, 33, 10)) == 4 * 9 * 100


def test_channels_alone_use_one_of_all_products():
    assert compute(depthwise(32, 10)) == 32 * 9 * 100


def test_operands_beyond_the_buffer_are_fetched_again():
    """2.36 MB of weights fill ten halves of 256 KiB, 0.82 MB of inputs four: the weights are fetched four times."""
    large = find_engine("atomic").moved(columns([conv(512, 512, 40)]), FULL)
    assert (large.input[0], large.weights[0]) == (40 * 40 * 512, 4 * (512 * 512 * 9 + 4 * 512))


def test_operands_that_fit_together_are_fetched_once():
    small = find_engine("atomic").moved(columns([conv(64, 64, 16)]), FULL)
    assert (small.input[0], small.weights[0]) == (16 * 16 * 64, 64 * 64 * 9 + 4 * 64)


def test_a_sum_of_tensors_reads_one_operand_more():
    got = find_engine("atomic").moved(columns([add(1000)]), FULL)
    assert (got.input[0], got.output[0]) == (1000, 0)


def test_slow_memory_bounds_a_layer():
    slow = replace(FULL, link=replace(FULL.link, bandwidth_mb_per_s=replace(FULL.link.bandwidth_mb_per_s, value=10)))
    assert hwsim.estimate(from_layers([conv(64, 32, 10)]), slow).layers[1].bound == "memory"


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory):
    path = tmp_path_factory.mktemp("resnet50") / "resnet50.h5"
    models.builders()["resnet50"]().save(path, shape_only=True)
    return load_workload(path)


@pytest.mark.parametrize(("macs", "allowed"), [(2048, 0.2), (1024, 0.2), (512, 0.15), (256, 0.15), (64, 0.55)])
def test_frames_a_second_of_a_network_are_near_the_vendors(shared, resnet50, macs, allowed):
    with (shared / "reference" / "published" / "nvdla_scaling.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if int(row["macs"]) == macs)

    def number(owner, value):
        return replace(owner, value=value)

    unit, link, atoms = FULL.atomic, FULL.link, ATOMS[macs]
    unit = replace(
        unit,
        channels=number(unit.channels, atoms[0]),
        kernels=number(unit.kernels, atoms[1]),
        buffer_kib=number(unit.buffer_kib, float(row["conv_buffer_kb"])),
    )
    link = replace(link, bandwidth_mb_per_s=number(link.bandwidth_mb_per_s, 1e3 * float(row["dram_bw_gb_s"])))
    report = hwsim.estimate(resnet50, replace(FULL, atomic=unit, link=link))
    assert report.throughput_per_s == pytest.approx(float(row["resnet50_int8_fps"]), rel=allowed)
