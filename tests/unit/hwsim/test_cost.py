"""Energy, area and technology numbers against their formulas, worked by hand."""

import math

import numpy as np
import pytest

import hwsim
import refq
from hwsim.arch.technology import area_factor, delay_factor, energy_factor, table, technology
from hwsim.cost.operators import processing_element_um2
from hwsim.errors import PrecisionError, SpecError
from hwsim.machine.closed_form import systolic_cycles
from hwsim.workload import from_graph, from_layers, load_workload
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


@pytest.mark.parametrize(
    ("kind", "recipe", "product_um2", "switched_um2"),
    [
        # 8 + 7 bits through 3 stages of a shifter, then a sign; sign and gate of 8 bits; 16 bytes and their selection
        ("pot", "pot4", lambda r: 15 * (3 * r["shift"] + r["sign"]), None),
        ("ternary", "w2a8", lambda r: 8 * r["sign"] * 4 / 3, None),
        (
            "codebook",
            "kmeans4",
            lambda r: 128 * r["register"] + 120 * r["shift"] + r["multiply"],
            lambda r: 120 * r["shift"] + r["multiply"],
        ),
    ],
)
def test_an_array_of_other_multipliers_costs_their_gates(kind, recipe, product_um2, switched_um2):
    names = {
        "shift": "shift_um2_per_bit_stage",
        "sign": "sign_um2_per_bit",
        "register": "register_um2_per_bit",
        "multiply": "multiply_8x8_um2",
    }
    plain, other = hwsim.load_arch("systolic-16x16"), hwsim.load_arch(f"systolic-16x16-{kind}")

    def row(basis):
        return {short: table("operators")[basis][name]["value"] for short, name in names.items()}

    assert plain.technology is not None
    here, weight = row(plain.technology.basis), 2 if kind == "ternary" else 4
    registers = table("operators")[plain.technology.basis]["enable_register_um2_per_bit"]["value"]
    saved = here["multiply"] - product_um2(here) + 2 * (8 - weight) * registers
    net = load_workload("models/resnet8.h5", recipe=recipe)
    before, after = hwsim.estimate(load_workload("models/resnet8.h5"), plain), hwsim.estimate(net, other)
    assert before.area_mm2 - after.area_mm2 == pytest.approx(256 * saved / 0.65e6)
    basis = row("horowitz45")
    pj = 0.2 * (switched_um2 or product_um2)(basis) / basis["multiply"] + 0.1
    assert sum(r.energy_uj.mac for r in after.layers) == pytest.approx(net.macs * pj / 1e6)
    assert sum(r.bytes.weights for r in after.layers) < sum(r.bytes.weights for r in before.layers) / 8 * (weight + 1)


def test_codes_that_the_elements_cannot_multiply_by_are_refused_and_plain_ones_assumed():
    pot = hwsim.load_arch("systolic-16x16-pot")
    with pytest.raises(PrecisionError, match=r"shift codes of 4 bits .* 'conv2d' has lookup weights of 4 bits"):
        hwsim.estimate(load_workload("models/resnet8.h5", recipe="kmeans4"), pot)
    with pytest.raises(PrecisionError, match="multiply weights of 8 bits"):
        hwsim.estimate(load_workload("models/resnet8.h5"), pot)
    warned = hwsim.estimate(load_workload("models/resnet8.h5", weights=4), pot).warnings
    assert "weights of 10 layers are taken to be shift codes, as systolic-16x16-pot needs them" in warned


def test_a_recipe_and_the_model_it_quantizes_are_costed_alike():
    graph = refq.load("models/digits.h5")
    x = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
    arch = hwsim.load_arch("systolic-16x16")
    for recipe in ("pot4", "binary-code2", "w4g32a8", "vq"):
        told = load_workload("models/digits.h5", recipe=recipe).layers
        done = from_graph(refq.quantize(graph, x, recipe=recipe)).layers
        for a, b in zip(told, done, strict=True):
            if a.nest.macs:
                assert (a.weight_bits, a.nest.multiplier) == (b.weight_bits, b.nest.multiplier)
                assert a.stored_bits == pytest.approx(b.stored_bits, rel=0.35)  # the last code of a row may be partial
        assert hwsim.estimate(from_layers(told), arch).cycles == hwsim.estimate(from_layers(done), arch).cycles
