"""Cores with SIMD kernels: MACs a cycle by precision against the published figures."""

import typing

import pytest
from msgspec.structs import replace

import hwsim
from hwsim.arch.catalog import archs
from hwsim.arch.kernels import Family, Kernels
from hwsim.arch.spec import Overhead, Quantity
from hwsim.arch.technology import table
from hwsim.validate import Workloads, compare, read_folder
from hwsim.validate.fit import constants, priors
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv, depthwise

KEYS = Kernels.__struct_fields__


def macs_per_cycle(arch, weight_bits, activation_bits):
    """On the layer of the papers: 3x3, 32 channels in, 64 out, 16x16."""
    one = conv(32, 64, 16)
    layer = type(one)(name=one.name, op=one.op, nest=one.nest, weight_bits=weight_bits, activation_bits=activation_bits)
    row = hwsim.estimate(from_layers([layer]), hwsim.load_arch(arch)).layers[1]
    return row.macs / row.cycles


def test_eight_bit_convolution_on_the_cluster_reaches_the_published_rate():
    assert macs_per_cycle("gap8", 8, 8) == pytest.approx(15.5, rel=0.1)


@pytest.mark.parametrize(("bits", "published"), [(4, 6.0), (2, 8.0)])
def test_native_narrow_operands_gain_what_was_published(bits, published):
    gain = macs_per_cycle("xpulpnn", bits, bits) / macs_per_cycle("gap8", bits, bits)
    assert gain == pytest.approx(published, rel=0.10)


def test_unpacked_operands_cost_more_than_bytes():
    assert macs_per_cycle("gap8", 4, 8) < macs_per_cycle("gap8", 8, 8)


def test_a_width_without_a_factor_costs_what_eight_bits_cost():
    arch = hwsim.load_arch("gap8")
    plain = replace(arch, kernels=replace(arch.kernels, width=()))
    layers = [conv(8, 8, 8, bits=bits) for bits in (8, 4)]
    eight, four = (hwsim.estimate(from_layers([layer]), plain).layers[1].cycles for layer in layers)
    assert eight == four


def core(**kernels):
    """A core of 1 MHz, where microseconds are cycles, whose costs are 0 but those given; no memory to wait for."""
    arch = hwsim.load_arch("cortex-m85")
    free = {
        key: replace(value, value=0) for key in KEYS if isinstance(value := getattr(arch.kernels, key), Quantity)
    } | {"lanes": None}
    given = {key: Quantity(value=value, source="estimate: test") for key, value in kernels.items()}
    memory = tuple(replace(m, bandwidth_mb_per_s=None) for m in arch.memory)
    clock = replace(arch.clock_mhz, value=1.0)
    return replace(
        arch, kernels=replace(arch.kernels, **{**free, **given}), memory=memory, overhead=Overhead(), clock_mhz=clock
    )


def cycles(layer, arch):
    return hwsim.estimate(from_layers([layer]), arch).layers[1].cycles


def test_a_pixel_of_a_window_is_copied_once_for_all_filters():
    arch = core(cycles_per_run=7)
    assert cycles(conv(4, 5, 6, kernel=3), arch) == 7 * 36 * 9 == cycles(conv(40, 50, 6, kernel=3), arch)
    assert cycles(depthwise(8, 6), arch) == 7 * 36 * 9
    assert cycles(conv(4, 5, 6, kernel=1), arch) == 0  # the input is the column


def test_kernels_without_a_column_walk_the_window_for_every_output():
    arch = core(cycles_per_tap=7)
    assert cycles(conv(4, 5, 6, kernel=3), arch) == 7 * 36 * 5 * 9
    assert cycles(conv(4, 5, 6, kernel=1), arch) == 7 * 36 * 5
    assert cycles(depthwise(8, 6), arch) == 0  # a tap of a depthwise layer is a MAC


def test_a_reduction_fills_whole_vectors():
    arch = core(convolution_cycles_per_mac=2, lanes=16)
    assert cycles(conv(3, 5, 6, kernel=3), arch) == 2 * 36 * 5 * 32  # 27 products in two vectors
    assert cycles(conv(16, 5, 6, kernel=3), arch) == 2 * 36 * 5 * 144
    assert cycles(depthwise(8, 6), core(depthwise_cycles_per_mac=2, lanes=16)) == 2 * 36 * 8 * 9


def test_parameters_wait_for_their_memory():
    arch = core()
    slow = replace(arch.memory[0], bandwidth_mb_per_s=Quantity(value=0.5, source="estimate: test"))
    layer = conv(4, 5, 6, kernel=3)
    assert cycles(layer, replace(arch, memory=(slow, *arch.memory[1:]))) == 2 * (4 * 5 * 9 + 4 * 5)


def test_every_family_of_kernels_has_typical_cycles_for_what_its_devices_fit():
    families = typing.get_args(Family)
    assert set(table("priors")["vector"]) == set(families)
    for name in archs():
        arch = hwsim.load_arch(name)
        if arch.engine == "vector" and constants(arch):
            assert set(priors(arch)) == set(constants(arch))


def test_a_fit_starts_from_the_kind_of_kernels():
    arch = hwsim.load_arch("cortex-m4")
    other = replace(arch, kernels=replace(arch.kernels, family="scalar"))
    path = "kernels.convolution_cycles_per_mac"
    assert priors(other)[path][0] > 2 * priors(arch)[path][0]


def test_a_core_says_that_a_large_network_does_not_fit():
    net = Workloads().find("VGG16")
    for name in archs():
        arch = hwsim.load_arch(name)
        if arch.engine != "vector" or "w8a8" not in arch.precisions:
            continue
        text = " ".join(hwsim.estimate(net, arch).warnings)
        room = sum(m.size_kib.value for m in arch.memory if m.holds in ("weights", "both")) * 1024
        assert (room < net.weight_bytes) == ("does not fit: parameters" in text or "parameters streamed" in text)


def test_rates_of_a_cluster_are_read_and_compared(tmp_path):
    head = "platform,precision,metric,value,unit,confidence\n"
    rows = [
        "GAP8,INT8,peak MACs per cycle,16,MAC/cycle,read",
        "GAP8,INT8,peak MACs per cycle,17,MAC/cycle,recalled",
        "GAP8,INT8,peak MACs per cycle,18,GOPS,read",
        "GAP8,,peak MACs per cycle,19,MAC/cycle,read",
        "another,INT8,peak MACs per cycle,20,MAC/cycle,read",
    ]
    (tmp_path / "rates.csv").write_text(head + "\n".join(rows) + "\n")
    arch = hwsim.load_arch("gap8")
    found = compare(read_folder(tmp_path, [arch]), {"gap8": arch}, Workloads())
    assert [(row.line, row.excluded) for row in found] == [(2, ""), (3, "confidence=recalled")]
    assert found[0].predicted == pytest.approx(macs_per_cycle("gap8", 8, 8), rel=1e-3)
    assert not read_folder(tmp_path, [hwsim.load_arch("xpulpnn")])
