"""Row-stationary array: mappings of the paper, and its measured layers of AlexNet and VGG-16."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import hwsim
import models
from hwsim.cost.zeros import shares
from hwsim.engines.base import columns, find_engine
from hwsim.engines.row_stationary import shape_of
from hwsim.mapping.row_mapping import Device, Shape, device_of, mapping_of
from hwsim.workload import from_layers, load_workload
from tests.unit.hwsim.small_layers import add, conv, depthwise

# e, p, q, r, t, m, n of the paper's table of mappings; CONV3 as its buffer accesses imply
PAPER = {
    "CONV1": (7, 16, 1, 1, 2, 96, 1),
    "CONV2": (27, 16, 2, 1, 1, 64, 1),
    "CONV3": (13, 16, 3, 2, 2, 64, 4),
    "CONV4": (13, 16, 3, 2, 2, 64, 4),
    "CONV5": (13, 16, 3, 2, 2, 64, 4),
}
# VGG-16, batch 3: power mW, total and processing latency ms, active elements, zeros %, buffer and off-chip MB; table VI
# of the same paper as transcribed in cucapra/fodlam, figures that the transcription garbled from the column totals
VGG16 = """
218 910.3 810.6 156 47.7 2402.8 54.0
242 470.3 405.3 156 24.8 1201.4 33.4
231 894.3 810.7 156 38.7 2402.8 48.5
254 241.1 204.0 156 39.7 607.4 20.2
235 460.9 408.1 156 58.1 1214.8 32.2
233 457.7 408.1 156 58.7 1214.8 30.8
278 135.8 105.1 168 64.3 321.8 17.8
261 254.8 210.0 168 74.7 643.7 28.6
240 246.3 210.0 168 85.4 643.7 22.8
258 54.3 48.3 168 79.4 90.0 6.3
236 53.7 48.5 168 87.4 90.0 5.7
230 53.7 48.5 168 88.5 90.0 5.6
"""
ARCH = hwsim.load_arch("eyeriss")
DEVICE = device_of(ARCH.row_stationary)


def published(name, batch, folder):
    path = folder / f"{name}.h5"
    models.builders()[name]().save(path, shape_only=True)
    return load_workload(path, batch=batch, weights=16, activations=16)


def with_zeros(workload, percents):
    """The workload whose convolutions read these shares of zeros."""
    given = iter(percents)
    layers = [replace(la, input_zeros=next(given) / 100) if la.op == "Conv2D" else la for la in workload.layers]
    return replace(workload, layers=tuple(layers))


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory):
    return published("alexnet", 4, tmp_path_factory.mktemp("alexnet"))


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    return published("vgg16", 3, tmp_path_factory.mktemp("vgg16"))


def convolutions(workload):
    return [index for index, layer in enumerate(workload.layers) if layer.op == "Conv2D"]


def figures(workload):
    """Of every convolution: power mW, total and processing latency ms, buffer and off-chip MB."""
    done = find_engine("row_stationary").cycles(columns(workload.layers), ARCH)
    report = hwsim.estimate(workload, ARCH)
    for index in convolutions(workload):
        row = report.layers[index + 1]
        yield (
            (row.energy_uj.total - row.energy_uj.dram) / row.latency_us * 1e3,
            row.latency_us / 1e3,
            (done.total - done.overhead)[index] / 200e3,
            (row.bytes.input + row.bytes.output) / 1e6,
            row.bytes.dram / 1e6,
        )


def test_mappings_are_those_of_the_paper(alexnet):
    table = columns(alexnet.layers)
    found = [tuple(mapping_of(shape_of(table, index), DEVICE)[:7]) for index in convolutions(alexnet)]
    assert found == list(PAPER.values())


def test_layers_of_alexnet_are_near_the_measured_chip(alexnet, shared):
    with (shared / "reference" / "published" / "eyeriss_layers.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["layer"] != "Total"]
    names = ("power_mw", "total_latency_ms", "processing_latency_ms", "gbuf_access_mb", "dram_access_mb")
    network = with_zeros(alexnet, [float(row["zeros_in_ifmap_pct"]) for row in table])
    for got, row in zip(figures(network), table, strict=True):
        for value, name, allowed in zip(got, names, (0.10, 0.10, 0.05, 0.01, 0.02), strict=True):
            assert value == pytest.approx(float(row[name]), rel=allowed), (row["layer"], name)


def test_layers_of_vgg16_are_near_the_measured_chip(vgg16):
    """All but the first, whose total latency the link does not explain; the buffer feeds four sums a cycle."""
    table = [[float(text) for text in line.split()] for line in VGG16.strip().splitlines()]
    network = with_zeros(vgg16, [1.6, *(row[4] for row in table)])
    for place, (got, row) in enumerate(zip(list(figures(network))[1:], table, strict=True)):
        for value, truth, allowed in zip(got, (*row[:3], *row[5:]), (0.10, 0.17, 0.07, 0.05, 0.17), strict=True):
            assert value == pytest.approx(truth, rel=allowed), (place, truth)
    active = [mapping_of(shape_of(columns(vgg16.layers), i), DEVICE).active for i in convolutions(vgg16)[1:]]
    assert active == [row[3] for row in table]


def test_zeros_that_are_not_stated_grow_with_the_depth(alexnet):
    """0.9 (1 + 2 d) / 3 at d = 1/4 ... 1; the picture has none."""
    table = columns(alexnet.layers)
    read, _ = shares(table, 0.9)
    assert read[convolutions(alexnet)] == pytest.approx([0, 0.45, 0.6, 0.75, 0.9])


def test_outputs_hold_the_zeros_that_the_next_layer_reads_without_its_padding():
    """A quarter of 6 x 6 padded inputs, nine values, are not zero; the outputs without the padding are 16."""
    first, last = conv(8, 8, 4), replace(conv(8, 8, 4), input_zeros=0.75)
    _, written = shares(columns([first, last]), 0.9)
    assert written[0] == pytest.approx(1 - 0.25 * 36 / 16)
    _, written = shares(columns([first, replace(last, input_zeros=0.1)]), 0.9)
    assert written[0] == 0


def test_before_a_pooling_window_of_three_there_are_more_zeros_than_behind_it(alexnet):
    """CONV2 reads 31 x 31 of which 38.7 % are zero; 27 x 27 of them leave the pooling."""
    network = with_zeros(alexnet, [0, 38.7, 72.5, 79.3, 77.6])
    _, written = shares(columns(network.layers), 0.9)
    assert written[convolutions(network)[0]] == pytest.approx((1 - 0.613 * 31**2 / 27**2) ** (1 / 3))


def test_a_pass_computes_the_products_of_its_elements():
    """One set of 3 x 13 elements fills a quarter of the array; four sets fill it: 156 of 168."""
    shape = Shape(4, 384, 256, 13, 13, 3, 3, 1)
    m = mapping_of(shape, DEVICE)
    macs = 4 * 384 * 256 * 13 * 13 * 9
    assert m.array * 3 * m.e * m.r * m.t >= macs
    assert 3 * m.e * m.r * m.t == 156


@pytest.mark.parametrize("seed", range(20))
def test_any_mapping_fits_elements_array_and_buffer(seed):
    draw = np.random.default_rng(seed)
    size, window = int(draw.integers(1, 40)), int(draw.choice([1, 2, 3, 5, 7, 11]))
    channels, filters, images = (int(draw.integers(1, top)) for top in (300, 300, 5))
    shape = Shape(images, filters, channels, size, size, window, window, 1)
    m = mapping_of(shape, DEVICE)
    assert m.q * min(window, 12) <= 12
    assert m.p * m.q * min(window, 12) <= 224
    assert m.m * m.n * m.e * size <= 24 * 2048
    assert m.array * 168 >= images * filters * channels * size * size * window * window


def test_sums_that_the_buffer_cannot_feed_hold_up_the_array():
    """One channel a pass: 64 * 64 sums of every pixel and image go in, four a cycle, while few products are formed."""
    m = mapping_of(Shape(3, 64, 64, 224, 224, 3, 3, 1), DEVICE)
    assert (m.q * m.r, m.array + m.waiting) == (1, 3 * 64 * 64 * 224 * 224 / 4)
    assert m.waiting > m.array


def test_a_buffer_too_small_for_any_mapping_still_has_one():
    tiny = Device(**{**DEVICE._asdict(), "banks": 1, "bank_words": 1})
    assert mapping_of(Shape(1, 8, 8, 8, 8, 3, 3, 1), tiny).n == 1


def test_more_images_share_the_fetch_of_filters():
    one, four = (
        find_engine("row_stationary").moved(columns([with_batch(conv(256, 384, 13), n)]), ARCH).streamed[0]
        for n in (1, 4)
    )
    assert four == one


def with_batch(layer, n):
    nest = replace(
        layer.nest, N=n, inputs=tuple(n * size for size in layer.nest.inputs), outputs=n * layer.nest.outputs
    )
    return replace(layer, nest=nest)


def test_layers_without_products_cost_an_operation_a_column():
    row = hwsim.estimate(from_layers([add(1400)]), ARCH).layers[1]
    assert row.macs == 0
    assert find_engine("row_stationary").cycles(columns([add(1400)]), ARCH).compute[0] == 2800 / 14


def test_depthwise_fills_few_elements():
    row = hwsim.estimate(from_layers([depthwise(32, 16)]), ARCH).layers[1]
    assert 0 < row.utilization < 0.3
