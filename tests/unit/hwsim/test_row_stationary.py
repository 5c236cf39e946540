"""Row-stationary array: mappings of the paper, and its measured AlexNet layers."""

import csv

import numpy as np
import pytest

import hwsim
import models
from hwsim.engines.base import columns, find_engine
from hwsim.engines.row_stationary import Shape, device_of, mapping_of, shape_of
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
ARCH = hwsim.load_arch("eyeriss")
DEVICE = device_of(ARCH.row_stationary)


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory):
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.h5"
    models.builders()["alexnet"]().save(path, shape_only=True)
    return load_workload(path, batch=4, weights=16, activations=16)


def convolutions(workload):
    return [index for index, layer in enumerate(workload.layers) if layer.op == "Conv2D"]


def test_mappings_are_those_of_the_paper(alexnet):
    table = columns(alexnet.layers)
    found = [tuple(mapping_of(shape_of(table, index), DEVICE)[:7]) for index in convolutions(alexnet)]
    assert found == list(PAPER.values())


def test_layers_of_alexnet_are_near_the_measured_chip(alexnet, shared):
    with (shared / "reference" / "published" / "eyeriss_layers.csv").open() as file:
        published = {row["layer"]: row for row in csv.DictReader(file)}
    table = columns(alexnet.layers)
    done = find_engine("row_stationary").cycles(table, ARCH)
    report = hwsim.estimate(alexnet, ARCH)
    for name, index in zip(PAPER, convolutions(alexnet), strict=True):
        row, measured = report.layers[index + 1], published[name]

        def near(got, column, allowed, measured=measured):
            assert got == pytest.approx(float(measured[column]), rel=allowed), column

        near((done.compute + done.fill)[index] / 200e3, "processing_latency_ms", 0.05)
        near((row.bytes.input + row.bytes.output) / 1e6, "gbuf_access_mb", 0.03)
        near(row.bytes.dram / 1e6, "dram_access_mb", 0.14)
        near((row.energy_uj.total - row.energy_uj.dram) / row.latency_us * 1e3, "power_mw", 0.15)
        near(row.latency_us / 1e3, "total_latency_ms", 0.10)


def test_a_pass_computes_the_products_of_its_elements():
    """One set of 3 x 13 elements fills a quarter of the array; four sets fill it: 156 of 168."""
    shape = Shape(4, 384, 256, 13, 13, 3, 3, 1, 15)
    m = mapping_of(shape, DEVICE)
    macs = 4 * 384 * 256 * 13 * 13 * 9
    assert m.passes * m.compute * 3 * m.e * m.r * m.t >= macs
    assert 3 * m.e * m.r * m.t == 156


@pytest.mark.parametrize("seed", range(20))
def test_any_mapping_fits_elements_array_and_buffer(seed):
    draw = np.random.default_rng(seed)
    size, window = int(draw.integers(1, 40)), int(draw.choice([1, 2, 3, 5, 7, 11]))
    channels, filters, images = (int(draw.integers(1, top)) for top in (300, 300, 5))
    shape = Shape(images, filters, channels, size, size, window, window, 1, size + window - 1)
    m = mapping_of(shape, DEVICE)
    assert m.q * min(window, 12) <= 12
    assert m.p * m.q * min(window, 12) <= 224
    sums = min(m.m, filters) * m.n * m.e * size
    assert m.e == 1 or m.n == 1 or sums <= 25 * 2048
    assert m.passes * m.compute * 168 >= images * filters * channels * size * size * window * window


def test_more_images_share_the_fetch_of_filters():
    one, four = (
        find_engine("row_stationary").moved(columns([with_batch(conv(256, 384, 13), n)]), ARCH).streamed[0]
        for n in (1, 4)
    )
    assert four == one


def with_batch(layer, n):
    from dataclasses import replace

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
