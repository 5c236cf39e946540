"""Window engines: published peaks and energies come out, and cycles follow from the modes of the windows."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as msgspec_replace

import hwsim
from hwsim.arch.vary import with_values
from hwsim.engines.base import columns
from hwsim.engines.window import cycles
from hwsim.errors import PrecisionError
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv as small_conv

# device -> published 10^9 operations a second, operations an energy of 1 J (10^12)
PUBLISHED = {"chewbaccann": (241, 223), "yodann": (1510, 1510 / 153), "yodann-0v6": (54.8, 61.2), "xne": (None, 46.3)}


def conv(name, channels, filters, size, kernel=3, activations=1):
    layer = small_conv(channels, filters, size, kernel, name, bits=1)
    return replace(layer, nest=replace(layer.nest, biases=0), activation_bits=activations)


def resnet34():
    """Binary layers at 224 x 224, from the table of the ResNet paper: no first convolution, no classifier."""
    layers, channels = [], 64
    for stage, (blocks, filters, size) in enumerate([(3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)]):
        for block in range(blocks):
            layers += [
                conv(f"{stage}.{block}a", channels, filters, size),
                conv(f"{stage}.{block}b", filters, filters, size),
            ]
            if channels != filters:
                layers.append(conv(f"{stage}.{block}s", channels, filters, size, 1))
            channels = filters
    return from_layers(layers)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_peak_and_efficiency_come_out(name):
    arch, (gops, tops_per_w) = hwsim.load_arch(name), PUBLISHED[name]
    wide = int(arch.precisions[0].partition("a")[2])
    layer = conv("full", 128, 128, 32, 7, activations=wide)
    if gops is not None:
        busy = cycles(columns([layer]), arch).compute[0] / arch.clock_mhz.value
        assert 2e-3 * layer.nest.macs / busy == pytest.approx(gops, rel=0.005)
    row = hwsim.estimate(from_layers([layer]), arch).layers[1]
    assert 2 * layer.nest.macs / row.energy_uj.mac / 1e6 == pytest.approx(tops_per_w, rel=0.01)


def test_resnet34_on_xne_takes_the_published_time_and_energy():
    report = hwsim.estimate(resnet34(), hwsim.load_arch("xne"))
    assert report.macs == pytest.approx(3.55e9, rel=0.01)
    assert report.throughput_per_s == pytest.approx(8.9, rel=0.01)
    assert report.energy_mj == pytest.approx(2.2, rel=0.02)


@pytest.mark.parametrize(
    ("name", "kernel", "expected"),
    [
        ("chewbaccann", 7, 100 * 5 * 2),  # pixels, filters, 20 channels in words of 16
        ("chewbaccann", 3, 100 * 5 * 2),  # the rest of the window idles
        ("chewbaccann", 9, 100 * 5 * 2 * 4),
        ("yodann", 7, 100 * 20),
        ("yodann", 4, 100 * 20),
        ("xne", 3, 100 * 9 * 5 + 100 * 9),  # one filter a cycle, and the load of the inputs
    ],
)
def test_cycles_follow_from_the_window_modes(name, kernel, expected):
    done = cycles(columns([conv("a", 20, 5, 10, kernel)]), hwsim.load_arch(name))
    assert done.total[0] == expected


def test_two_filters_share_an_element_on_small_windows_only():
    small, large = (cycles(columns([conv("a", 1, 64, 10, k)]), hwsim.load_arch("yodann")).total[0] for k in (5, 7))
    assert (small, large) == (100, 200)


def test_widths_a_window_engine_lacks_are_named():
    with pytest.raises(PrecisionError, match="chewbaccann has no data path for w1a12: its multipliers take w1a1 only"):
        hwsim.estimate(from_layers([conv("a", 3, 3, 8, activations=12)]), hwsim.load_arch("chewbaccann"))


@pytest.mark.parametrize("path", ["window.channels", "window.modes.0.filters", "clock_mhz", "vector.lanes"])
@pytest.mark.parametrize("name", ["chewbaccann", "xne"])
def test_more_of_a_window_engine_is_never_slower(name, path):
    arch, network = hwsim.load_arch(name), resnet34()
    times = [hwsim.estimate(network, with_values(arch, {path: value})).latency_ms for value in (1, 3, 16, 100, 257)]
    assert times == sorted(times, reverse=True)


# width, height, milliseconds of 128 to 128 channels with 16-bit weights at 300 MHz, measured on a board
K210 = [(16, 4, 0.339), (16, 16, 0.417), (32, 16, 0.692), (32, 32, 1.138), (64, 32, 2.125), (64, 64, 3.891)]
K210 += [(128, 64, 7.709), (128, 128, 14.778), (256, 256, 57.756)]


@pytest.mark.parametrize(("width", "height", "measured_ms"), K210)
def test_layers_on_the_k210_are_near_the_measured_ones(width, height, measured_ms):
    arch = with_values(hwsim.load_arch("k210"), {"clock_mhz": 300})
    size = conv("a", 128, 128, 1, 3, activations=8)
    nest = replace(size.nest, OX=width, OY=height, inputs=(width * height * 128,), outputs=width * height * 128)
    row = hwsim.estimate(from_layers([replace(size, nest=nest, weight_bits=16)]), arch).layers[1]
    assert row.latency_us / 1e3 == pytest.approx(measured_ms, rel=0.21 if width * height == 256 else 0.10)


def vendors_cycles(channels, filters, size, kernel):
    """Cycles of a layer without pooling, from the rule of the vendor's tool: rows of padding, of data before the first
    output, and of data with outputs; a pass for every 64 channels; two cycles to take a pixel in, one to store it."""
    passes, pad = -(-channels // 64), (kernel - 1) // 2
    take, keep = 2 * passes, 2 * passes + 1
    silent = 2 * pad * keep + passes * size * keep
    data = pad * keep + passes * (kernel - 1 - pad) * keep + passes * (size - pad) * take + pad * take
    outputs = passes * size * filters
    return pad * silent + (kernel - 1 - pad) * silent + (data + outputs) * (size - (kernel - 1 - pad) + pad)


@pytest.mark.parametrize(("channels", "filters", "size", "kernel"), [(64, 64, 32, 3), (3, 64, 64, 3), (64, 128, 16, 1)])
def test_cycles_of_the_max78000_are_those_of_the_vendors_tool(channels, filters, size, kernel):
    layer = replace(conv("a", channels, filters, size, kernel, activations=8), weight_bits=8)
    done = cycles(columns([layer]), hwsim.load_arch("max78000"))
    assert done.total[0] == pytest.approx(vendors_cycles(channels, filters, size, kernel), rel=0.015)
    assert done.fill[0] == 2 * size * size


def test_weights_wait_for_their_memory_or_hide_behind_the_products():
    arch = hwsim.load_arch("k210")
    layer = replace(conv("a", 64, 64, 64, 3, activations=8), weight_bits=8)
    load = 64 * 64 * 9 * 400 / 1037
    assert cycles(columns([layer]), arch).stall[0] == pytest.approx(load)
    hidden = msgspec_replace(arch, memory=(msgspec_replace(arch.memory[0], double_buffered=True), arch.memory[1]))
    assert cycles(columns([layer]), hidden).stall[0] == 0
