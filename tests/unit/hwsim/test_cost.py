"""Energy, area and technology numbers against their formulas, worked by hand."""

import math

import pytest

import hwsim
from hwsim.arch.technology import area_factor, delay_factor, energy_factor, technology
from hwsim.cost.operators import processing_element_um2
from hwsim.errors import SpecError
from hwsim.machine.closed_form import systolic_cycles
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv


def test_area_is_array_plus_requantizers_plus_memories():
    arch = hwsim.load_arch("systolic-16x16")
    area = hwsim.estimate(from_layers([conv(3, 8, 8)]), arch).area_mm2
    element = processing_element_um2("ws", 8, 8, 32, "nangate45_booth_fa")
    assert area == pytest.approx((256 * element + 16 * 7167) / 0.65 / 1e6 + 2 * 0.9756)
    assert element == pytest.approx(892.4, rel=0.15)  # the synthesized element


def test_four_bit_weights_halve_the_multiplication_and_the_weight_bytes():
    arch = hwsim.load_arch("systolic-16x16")
    eight, four = (hwsim.estimate(from_layers([conv(16, 16, 8, bits=bits)]), arch).layers[1] for bits in (8, 4))
    assert eight.energy_uj is not None
    assert four.energy_uj is not None
    assert eight.energy_uj.mac == pytest.approx(eight.macs * 0.3e-6)
    side = 32**0.5  # geometric mean of the widths, on Horowitz' power law of the multiplier; the sum stays as wide
    multiply = 0.2 * (side / 8) ** (math.log(3.1 / 0.2) / math.log(4))
    assert four.energy_uj.mac == pytest.approx(eight.macs * (multiply + 0.1) * 1e-6)
    assert eight.bytes.weights - four.bytes.weights == 16 * 16 * 9 // 2


def test_a_layer_that_fits_one_tile_costs_the_array_formula():
    arch = hwsim.load_arch("systolic-16x16")
    row = hwsim.estimate(from_layers([conv(16, 16, 7, 1)]), arch).layers[1]
    assert row.cycles == systolic_cycles(49, 16, 16, 16, 16, "ws", "rtl", overlap=True)


def test_the_cortex_m4_pays_by_kernel():
    arch = hwsim.load_arch("cortex-m4")
    row = hwsim.estimate(from_layers([conv(4, 4, 8, 3)]), arch).layers[1]
    k = arch.kernels
    gathered = 64 * 36 * k.cycles_per_gathered.value  # output pixels * window elements, once for all filters
    cycles = row.macs * k.convolution_cycles_per_mac.value + 256 * k.cycles_per_output.value + gathered
    assert row.latency_us * 120 == pytest.approx(cycles + arch.overhead.layer_us.value * 120)


def test_technology_scales_by_the_published_polynomials():
    here, small = technology(45, 0.9), technology(7, 0.7)
    assert here["multiply_8_pj"] == 0.2
    at_45 = 1.018 * 0.81 - 0.3107 * 0.9 + 0.1539
    at_7 = 0.1776 * 0.49 - 0.09097 * 0.7 + 0.02447
    assert small["multiply_8_pj"] == pytest.approx(0.2 * at_7 / at_45)
    assert small["multiply_8_um2"] == pytest.approx(282 * 0.0032 / 0.053)
    assert delay_factor(45, 0.9) == pytest.approx(1)
    assert delay_factor(16, 0.8) < delay_factor(32, 0.9) < 1


def test_between_two_nodes_the_factors_lie_between_theirs():
    for read in (area_factor, lambda node: energy_factor(node, 0.8)):
        assert read(20) < read(28) < read(32)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((1,), "node_nm=1 lies outside 7 to 180"), ((45, 3.0), "voltage_v=3 lies outside 0.4 to 2.0")],
)
def test_a_node_or_voltage_out_of_reach_is_refused(arguments, text):
    with pytest.raises(SpecError, match=text):
        technology(*arguments)
