"""Cores with SIMD kernels: MACs a cycle by precision against the published figures."""

import pytest
from msgspec.structs import replace

import hwsim
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv


def macs_per_cycle(arch, weight_bits, activation_bits):
    """On the layer of the papers: 3x3, 32 channels in, 64 out, 16x16."""
    one = conv(32, 64, 16)
    layer = type(one)(name=one.name, op=one.op, nest=one.nest, weight_bits=weight_bits, activation_bits=activation_bits)
    row = hwsim.estimate(from_layers([layer]), hwsim.load_arch(arch)).layers[1]
    return row.macs / row.cycles


def test_eight_bit_convolution_on_the_cluster_reaches_the_published_rate():
    assert macs_per_cycle("gap8", 8, 8) == pytest.approx(15.5, rel=0.1)


@pytest.mark.parametrize(("bits", "published", "allowed"), [(4, 6.0, 0.10), (2, 8.0, 0.15)])
def test_native_narrow_operands_gain_what_was_published(bits, published, allowed):
    gain = macs_per_cycle("xpulpnn", bits, bits) / macs_per_cycle("gap8", bits, bits)
    assert gain == pytest.approx(published, rel=allowed)


def test_unpacked_operands_cost_more_than_bytes():
    assert macs_per_cycle("gap8", 4, 8) < macs_per_cycle("gap8", 8, 8)


def test_a_width_without_a_factor_costs_what_eight_bits_cost():
    arch = hwsim.load_arch("gap8")
    plain = replace(arch, kernels=replace(arch.kernels, width=()))
    layers = [conv(8, 8, 8, bits=bits) for bits in (8, 4)]
    eight, four = (hwsim.estimate(from_layers([layer]), plain).layers[1].cycles for layer in layers)
    assert eight == four
