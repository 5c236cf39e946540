"""Layers of HAWQ-V3's search that no constant of the T4 was fitted to: stages 2 and 4 of its two networks."""

import json
from itertools import chain

import numpy as np
import pytest

import hwsim
from hwsim.validate import Workloads
from hwsim.validate.compare import predict

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
FITTED_STAGES = (0, 2)
"""Stages whose layers stand in hawqv3_t4.csv"""


def conv(kernel, stride, channels, filters, size):
    out = size // stride
    return f"conv {kernel}x{kernel}/{stride} {channels}-{filters} {size}x{size}-{out}x{out}"


def layers(network):
    """(stage, convolution) in the order of the search's lists: main path, then the projection of a first block."""
    channels, size = 64, 56
    for stage, (filters, blocks) in enumerate(zip((64, 128, 256, 512), BLOCKS[network], strict=True)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            if network == "resnet18":
                width = filters
                yield stage, conv(3, stride, channels, filters, size)
                yield stage, conv(3, 1, filters, filters, size // stride)
            else:
                width = 4 * filters
                yield stage, conv(1, stride, channels, filters, size)
                yield stage, conv(3, 1, filters, filters, size // stride)
                yield stage, conv(1, 1, filters, width, size // stride)
            if not block and (stride > 1 or channels != width):
                yield stage, conv(1, stride, channels, width, size)
            channels, size = width, size // stride


@pytest.fixture(scope="module")
def errors(shared):
    """Whether in the fit -> error of the speed-up of each distinct layer."""
    searched = json.loads((shared / "golden" / "hawq_ilp.json").read_text())["models"]
    published: dict[tuple[bool, str], list[float]] = {}
    for network in BLOCKS:
        found = list(layers(network))
        times = (searched[network]["latency_int8"], searched[network]["latency_int4"])
        for (stage, name), eight, four in zip(found, *times, strict=True):
            published.setdefault((stage in FITTED_STAGES, name), []).append(eight / four)
    arch, workloads, errors = hwsim.load_arch("t4"), Workloads(), {True: [], False: []}
    for (fitted, name), ratios in published.items():
        eight, four = (predict(workloads.find(name, 8, bits, bits), arch, "latency_ms") for bits in (8, 4))
        errors[fitted].append(eight / four / np.exp(np.mean(np.log(ratios))) - 1)
    return {fitted: np.array(found) for fitted, found in errors.items()}


def test_the_layers_are_those_of_the_two_networks(shared):
    searched = json.loads((shared / "golden" / "hawq_ilp.json").read_text())["models"]
    for network in BLOCKS:
        for (_, name), parameters in zip(layers(network), searched[network]["parameters"], strict=True):
            (layer,) = Workloads().find(name).layers
            million = 2**20 if network == "resnet18" else 1e6
            assert layer.nest.weights == pytest.approx(parameters * million, rel=0.01)


def test_layers_of_other_stages_are_met_about_as_well_as_those_of_the_fit(errors):
    """One record of 1.04 beside others of 1.3 to 2.0 is a poor find of the tuner: 51 % of error on its own."""
    assert len(errors[False]) >= 10
    assert np.mean(np.abs(errors[False])) < 0.14
    assert np.median(np.abs(errors[False])) < 0.11
    assert abs(np.mean(list(chain(errors[True], errors[False])))) < 0.04
