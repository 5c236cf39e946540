"""Application cores from instruction counts against published times and ratios; binary networks against larq."""

from math import prod

import numpy as np
import pytest
from msgspec.structs import replace as changed

import hwsim
from hwsim.validate import Workloads, compare, read_folder, statistics
from hwsim.workload import from_layers
from models import builders
from tests.unit.hwsim.small_layers import conv
from tests.unit.hwsim.test_validate import SHARED


@pytest.fixture(scope="module")
def workloads():
    return Workloads()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("quicknet_small", 12_655_688), ("quicknet", 13_234_088), ("quicknet_large", 23_342_248)],
)
def test_quicknets_have_the_parameters_that_larq_publishes(name, parameters):
    weights = builders()[name]().weights
    norms = [dict(found) for found in weights.values() if any(part == "gamma" for part, _ in found)]
    statistics_of_norms = sum(2 * norm["gamma"][0] for norm in norms)  # larq leaves moving averages out
    assert sum(prod(shape) for found in weights.values() for _, shape in found) - statistics_of_norms == parameters


def test_bi_real_net_has_the_parameters_that_larq_publishes():
    weights = builders()["birealnet18"]().weights
    assert sum(prod(shape) for found in weights.values() for _, shape in found) == 11_699_112


def test_binary_layers_of_a_published_network_have_one_bit_and_the_others_are_real(workloads):
    net = workloads.find("QuickNet")
    binary = [layer for layer in net.layers if layer.weight_bits == 1]
    assert [layer.nest.macs for layer in binary] == [115_605_504] * 16  # every section halves the side, doubles filters
    assert {layer.weight_bits for layer in net.layers} == {1, 32}
    assert all(layer.activation_bits == layer.weight_bits for layer in net.layers)


def test_channels_of_a_pixel_fill_whole_vectors_of_a_width_with_lanes():
    arch = hwsim.load_arch("raspberry-pi-4-larq")
    free = dict.fromkeys(("cycles_per_output", "cycles_per_operation"))
    free = {key: changed(getattr(arch.kernels, key), value=0) for key in free}
    arch = changed(arch, kernels=changed(arch.kernels, **free), overhead=type(arch.overhead)(), memory=())
    (entry,) = arch.kernels.width
    per_mac = entry.factor.value * arch.kernels.convolution_cycles_per_mac.value
    for channels, rounded in ((64, 128), (128, 128), (129, 256)):
        one = conv(channels, 8, 40, bits=1)
        layer = type(one)(name="c", op=one.op, nest=one.nest, weight_bits=1, activation_bits=1)
        cycles = hwsim.estimate(from_layers([layer]), arch).layers[1].latency_us * arch.clock_mhz.value
        assert cycles == pytest.approx(1600 * 8 * 9 * rounded * per_mac)


@pytest.mark.parametrize(
    ("name", "mean"), [("raspberry-pi-4-larq", 0.10), ("raspberry-pi-4-larq-4", 0.15), ("pixel-1-larq", 0.15)]
)
def test_binary_networks_take_the_published_time_without_a_fit(name, mean, workloads):
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent; set REFQ_SHARED to the folder of shared references")
    arch = hwsim.load_arch(name)
    (group,) = statistics(compare(read_folder(SHARED, [arch]), {arch.name: arch}, workloads))
    assert group.models >= 3
    assert group.mean_abs_error <= mean
    assert arch.uncertainty.latency_pct.value == pytest.approx(100 * group.mean_abs_error, abs=0.1)


def test_eight_bits_on_cascade_lake_gain_what_was_published(workloads):
    """2.35 times float32 on computer vision networks (Jain et al., cited by Gholami et al. 2021)."""
    arch = hwsim.load_arch("cascade-lake")
    gains = []
    for name in ("ResNet-50", "ResNet-18", "MobileNet v1", "MobileNet v2", "Inception v3", "VGG16", "SqueezeNet"):
        wide, narrow = (hwsim.estimate(workloads.find(name, 1, b, b), arch).latency_ms for b in (32, 8))
        gains.append(wide / narrow)
    assert np.exp(np.mean(np.log(gains))) == pytest.approx(2.35, rel=0.10)
