"""TPU v1: six applications as stand-ins built from their published counts, ordered by the useful share of the peak."""

import csv

import pytest

import hwsim
from hwsim.workload import Layer, LoopNest, from_layers

ARCH = hwsim.load_arch("tpu-v1")


def dense(batch, channels, filters, name):
    sizes = {"inputs": (batch * channels,), "weights": channels * filters, "outputs": batch * filters}
    nest = LoopNest(kind="mac", N=batch, K=filters, C=channels, **sizes)
    return Layer(name=name, op="Dense", nest=nest, weight_key=name)


def conv(batch, channels, filters, size, name):
    nest = LoopNest(
        kind="mac",
        N=batch,
        K=filters,
        C=channels,
        OY=size,
        OX=size,
        FY=3,
        FX=3,
        inputs=(batch * size * size * channels,),
        weights=9 * channels * filters,
        outputs=batch * size * size * filters,
    )
    return Layer(name=name, op="Conv2D", nest=nest, weight_key=name)


def square(batch, count, weights, step):
    """`count` equal square matrices with about so many weights in all, sides in multiples of `step`."""
    side = max(step, round((weights / count) ** 0.5 / step) * step)
    return [dense(batch, side, side, f"d{i}") for i in range(count)]


def stand_ins():
    """Layers with the published weights and products a weight: LSTM1 of 600 x 600; CNN1 with 72 convolutions that fill
    half of the array (useful over active cycles) and four dense layers."""
    return {
        "MLP0": square(200, 5, 20e6, 256),
        "MLP1": square(168, 4, 5e6, 100),
        "LSTM0": square(64, 58, 52e6, 256),
        "LSTM1": [dense(96, 600, 600, f"l{i}") for i in range(94)],
        "CNN0": [conv(8, 256, 256, 19, f"c{i}") for i in range(14)],
        "CNN1": [conv(32, 352, 352, 8, f"c{i}") for i in range(72)] + square(32, 4, 20e6, 256),
    }


def share(name):
    report = hwsim.estimate(from_layers(stand_ins()[name], name=name), ARCH)
    return report.utilization


def test_stand_ins_have_the_published_weights_and_reuse(shared):
    with (shared / "reference" / "published" / "tpuv1_counters.csv").open() as file:
        for row in csv.DictReader(file):
            layers = stand_ins()[row["app"]]
            weights = sum(layer.nest.weights for layer in layers)
            assert weights == pytest.approx(float(row["weights"]), rel=0.2), row["app"]
            reuse = sum(layer.nest.macs for layer in layers) / weights
            assert reuse == pytest.approx(float(row["ops_per_weight_byte"]), rel=0.1), row["app"]


def test_applications_are_ordered_as_measured(shared):
    with (shared / "reference" / "published" / "tpuv1_counters.csv").open() as file:
        measured = {row["app"]: float(row["useful_macs_pct"]) for row in csv.DictReader(file)}
    ours = {name: share(name) for name in measured}
    assert sorted(ours, key=lambda app: ours[app]) == sorted(measured, key=lambda app: measured[app])


@pytest.mark.parametrize(("app", "batch"), [("MLP0", 200), ("LSTM0", 64)])
def test_weights_from_memory_bound_the_networks_of_dense_layers(app, batch):
    """34 GB/s of weights, each used once for every input of the batch, against 65536 MACs at 700 MHz."""
    assert share(app) == pytest.approx(34e9 * batch / (65536 * 700e6), rel=0.02)


def test_half_empty_tiles_are_fetched_whole():
    """600 x 600 weights take 3 x 3 tiles of 256 x 256."""
    row = hwsim.estimate(from_layers([dense(96, 600, 600, "l")]), ARCH).layers[1]
    assert row.bytes.dram == 9 * 65536
