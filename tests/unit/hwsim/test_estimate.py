"""The estimate as a whole: sums, bounds, warnings, refusals."""

import pytest

import hwsim
from hwsim.errors import PrecisionError, WorkloadError
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import add, conv, depthwise

NET = (conv(3, 32, 56, name="c1"), depthwise(32, 56), conv(32, 64, 56, 1, name="c2"), add(64 * 56 * 56))


def test_totals_are_the_sums_of_the_rows():
    report = hwsim.estimate(from_layers(NET), hwsim.load_arch("edgetpu"))
    assert report.cycles == sum(row.cycles for row in report.layers)
    assert report.macs == sum(row.macs for row in report.layers) == sum(layer.nest.macs for layer in NET)
    assert report.latency_ms == sum(row.latency_us for row in report.layers) / 1e3
    assert report.energy_mj == sum(row.energy_uj.total for row in report.layers if row.energy_uj is not None) / 1e3
    assert [row.name for row in report.layers] == ["(invoke)", *(layer.name for layer in NET)]


def test_latency_is_cycles_over_clock_within_one_cycle_a_row():
    arch = hwsim.load_arch("edgetpu")
    report = hwsim.estimate(from_layers(NET), arch)
    for row in report.layers:
        assert 0 <= row.cycles - row.latency_us * arch.clock_mhz.value < 1 + 1e-6


def test_an_int8_device_refuses_four_bit_weights():
    with pytest.raises(PrecisionError, match="edgetpu has no data path for w4a8: its multipliers take w8a8 only"):
        hwsim.estimate(from_layers([conv(3, 8, 8, bits=4)]), hwsim.load_arch("edgetpu"))


def test_what_follows_an_unsupported_operation_runs_on_the_host():
    layers = (conv(3, 8, 8, name="c1"), add(512, op="Gelu"), conv(8, 8, 8, name="c2"))
    report = hwsim.estimate(from_layers(layers), hwsim.load_arch("edgetpu"))
    assert [row.bound == "host" for row in report.layers] == [False, False, True, True]
    assert any("2 of 3 layers run on the host" in text and "Gelu" in text for text in report.warnings)


def test_parameters_beyond_the_chip_are_streamed_and_said_so():
    arch = hwsim.load_arch("edgetpu")
    big = conv(1024, 1024, 7, name="big")
    workload = from_layers([big])
    report = hwsim.estimate(workload, arch)
    streamed = workload.weight_bytes - int(arch.capacity_bytes("weights"))
    assert report.layers[1].bytes.dram == streamed
    assert report.layers[1].bound == "memory"
    assert any("streamed at every inference" in text for text in report.warnings)


def test_shared_weights_are_stored_once():
    one = conv(16, 16, 8, name="shared")
    workload = from_layers([one, one])
    assert workload.weight_bytes == one.weight_bytes
    assert workload.macs == 2 * one.nest.macs


def test_no_energy_or_area_without_a_basis():
    report = hwsim.estimate(from_layers(NET), hwsim.load_arch("edgetpu"))
    assert report.area_mm2 is None
    area = hwsim.estimate(from_layers(NET), hwsim.load_arch("systolic-16x16")).area_mm2
    assert area is not None
    assert area > 0


def test_an_empty_workload_is_refused():
    with pytest.raises(WorkloadError, match="has no layers"):
        from_layers([])
