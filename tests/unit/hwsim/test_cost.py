"""Energy, area and technology numbers against their formulas, worked by hand."""

import pytest

import hwsim
from hwsim.arch.technology import technology
from hwsim.engines.systolic import systolic_cycles
from hwsim.errors import SpecError
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv


def test_area_is_array_plus_requantizers_plus_memories():
    area = hwsim.estimate(from_layers([conv(3, 8, 8)]), hwsim.load_arch("systolic-16x16")).area_mm2
    assert area == pytest.approx((256 * 892.4 + 16 * 7166.6) / 0.65 / 1e6 + 2 * 0.976)


def test_four_bit_weights_halve_mac_energy_and_weight_bytes():
    arch = hwsim.load_arch("systolic-16x16")
    eight, four = (hwsim.estimate(from_layers([conv(16, 16, 8, bits=bits)]), arch).layers[1] for bits in (8, 4))
    assert eight.energy_uj is not None
    assert four.energy_uj is not None
    assert eight.energy_uj.mac == pytest.approx(eight.macs * 0.3e-6)
    assert four.energy_uj.mac == pytest.approx(eight.energy_uj.mac / 2)
    assert eight.bytes.weights - four.bytes.weights == 16 * 16 * 9 // 2


def test_a_layer_that_fits_one_tile_costs_the_array_formula():
    arch = hwsim.load_arch("systolic-16x16")
    row = hwsim.estimate(from_layers([conv(16, 16, 7, 1)]), arch).layers[1]
    assert row.cycles == systolic_cycles(49, 16, 16, 16, 16, "ws", "rtl", overlap=True)


def test_the_cortex_m4_pays_by_kernel():
    arch = hwsim.load_arch("cortex-m4")
    row = hwsim.estimate(from_layers([conv(4, 4, 8, 3)]), arch).layers[1]
    assert row.latency_us * 120 == pytest.approx(row.macs * 2.045 + 256 * 15.8 + 10.4 * 120)


def test_technology_scales_energy_with_length_and_area_with_its_square():
    here, half = technology(45), technology(22.5)
    assert here["multiply_8_pj"] == 0.2
    assert half["multiply_8_pj"] == pytest.approx(0.1)
    assert half["mac_int8_acc32_um2"] == pytest.approx(768.2 / 4)


def test_a_node_out_of_reach_is_refused():
    with pytest.raises(SpecError, match="node_nm=1 lies outside 3 to 180"):
        technology(1)
