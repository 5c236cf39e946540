"""NVDLA: array cycles by worked values, frames a second against the vendor's estimates."""

import csv

import pytest
from msgspec.structs import replace

import hwsim
import models
from hwsim.engines.base import columns, find_engine
from hwsim.validate import Workloads, compare, read_folder
from hwsim.workload import from_layers, load_workload
from tests.unit.hwsim.small_layers import add, conv, depthwise

FULL = hwsim.load_arch("nvdla-full")


def compute(layer, arch=FULL):
    return float(find_engine("atomic").cycles(columns([layer]), arch).compute[0])


def test_a_cycle_takes_one_tap_of_a_pixel_for_all_channels_and_kernels():
    assert compute(conv(64, 32, 10)) == 9 * 100
    assert compute(conv(65, 33, 10)) == 4 * 9 * 100


def test_channels_alone_use_one_of_all_products():
    assert compute(depthwise(32, 10)) == 32 * 9 * 100


def test_a_row_of_the_window_over_a_picture_fills_the_channels():
    """7 x 3 values of a row stand beside each other in 64 channels, or in three turns of 8; 32 of 64 filters a turn."""
    picture = conv(3, 64, 10, 7)
    assert compute(picture) == 7 * 2 * 100
    assert compute(picture, hwsim.load_arch("nvdla-small")) == 7 * 3 * 8 * 100


def test_inputs_are_fetched_again_for_every_share_of_the_buffer_that_the_weights_fill():
    """2.36 MB of weights fill an eighth of 512 KiB 37 times."""
    large = find_engine("atomic").moved(columns([conv(512, 512, 40)]), FULL)
    weights = 512 * 512 * 9 + 4 * 512
    assert (large.input[0], large.weights[0]) == (-(-weights // 65536) * 40 * 40 * 512, weights)


def test_inputs_that_fit_beside_a_group_of_kernels_are_fetched_once():
    small = find_engine("atomic").moved(columns([conv(512, 512, 14)]), FULL)
    assert 14 * 14 * 512 + 32 * 512 * 9 < 512 * 1024 < 512 * 512 * 9
    assert (small.input[0], small.weights[0]) == (14 * 14 * 512, 512 * 512 * 9 + 4 * 512)


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


def test_sizes_of_the_family_are_near_the_vendors(shared):
    """Frames a second of ResNet-50, average power, area; 128 and 32 products by the next larger design."""
    rows = compare(read_folder(shared / "reference" / "published", [FULL]), {FULL.name: FULL}, Workloads())
    allowed = {"fps": 0.12, "power_mw": 0.05, "area_mm2": 0.10}
    found = [row for row in rows if row.file == "nvdla_scaling.csv"]
    assert len(found) == 21
    for row in found:
        assert row.predicted == pytest.approx(row.published, rel=allowed[row.quantity]), row.model


@pytest.mark.parametrize(("name", "macs"), [("nvdla-full", 2048), ("nvdla-1024", 1024), ("nvdla-small", 64)])
def test_a_named_size_is_the_row_of_its_size(shared, resnet50, name, macs):
    with (shared / "reference" / "published" / "nvdla_scaling.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if int(row["macs"]) == macs)
    report = hwsim.estimate(resnet50, hwsim.load_arch(name))
    assert report.throughput_per_s == pytest.approx(float(row["resnet50_int8_fps"]), rel=0.12)
    assert report.area_mm2 == pytest.approx(float(row["area_mm2_16nm"]), rel=0.1)
    assert report.average_power_w == pytest.approx(float(row["avg_power_mw_16nm"]) / 1e3, rel=0.05)
