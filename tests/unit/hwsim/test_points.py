"""Many design points at once give what single estimates of the same devices give, to the last bit of a sum."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import hwsim
from hwsim.arch.vary import numbers, unit, with_values
from hwsim.engines.systolic import _best_at_points, best_mapping
from hwsim.errors import SpecError
from hwsim.points import at_points
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import add, conv, depthwise

NETWORK = from_layers(
    [
        conv(3, 32, 28, name="first"),
        depthwise(32, 28),
        conv(32, 300, 28, kernel=1, name="wide"),
        conv(300, 12, 7, name="narrow"),
        add(5000),
        conv(3, 32, 28, name="again"),
    ]
)
VARIED = {
    "edgetpu": {
        "array.rows": [1, 7, 64, 200],
        "array.cols": [64, 3],
        "array.sustained_pct": [61.4, 99],
        "link.bandwidth_mb_per_s": [20, 500],
        "memory.0.size_kib": [0, 64],
        "energy.mac_pj": [0.5, 2],
    },
    "systolic-16x16": {
        "array.rows": [5, 16, 33],
        "clock_mhz": [100, 500],
        "memory.1.size_kib": [0, 3, 256],
        "memory.0.width_bits": [64, 96],
        "technology.node_nm": [45, 28],
    },
    "gap8": {"clock_mhz": [50, 175], "kernels.convolution_cycles_per_mac": [0.05, 1], "memory.0.size_kib": [16, 512]},
}


@pytest.mark.parametrize("name", VARIED)
@pytest.mark.parametrize("overlapped", [False, True])
def test_points_equal_single_estimates(name, overlapped):
    arch = hwsim.load_arch(name)
    arch = replace(arch, link=replace(arch.link, overlapped=overlapped))
    grid = list(itertools.product(*VARIED[name].values()))
    values = {path: [point[i] for point in grid] for i, path in enumerate(VARIED[name])}
    got = at_points(NETWORK, arch, values)
    for index, point in enumerate(grid):
        one = hwsim.estimate(NETWORK, with_values(arch, dict(zip(VARIED[name], point, strict=True))))
        assert got.layer_us[index].tolist() == [row.latency_us for row in one.layers[1:]]
        assert got.latency_ms[index] == pytest.approx(one.latency_ms, rel=1e-12)
        assert got.dram_bytes[index] == sum(row.bytes.dram for row in one.layers)
        assert got.energy_mj[index] == pytest.approx(one.energy_mj, rel=1e-12)
        area = None if got.area_mm2 is None else got.area_mm2[index]
        assert area == (None if one.area_mm2 is None else pytest.approx(one.area_mm2, rel=1e-12))


@pytest.mark.parametrize(
    ("name", "vary"),
    [
        ("cortex-m85", {"clock_mhz": [100, 480], "kernels.lanes": [4, 16], "memory.0.bandwidth_mb_per_s": [90, 700]}),
        ("cortex-m85", {"kernels.cycles_per_run": [0, 30], "kernels.cycles_per_gathered": [0, 1]}),
        ("cortex-m4-tflm", {"kernels.cycles_per_tap": [0, 9], "overhead.layer_us": [1, 50]}),
        ("gap9", {"kernels.width.w8a8.lanes": [8, 16, 48], "clock_mhz": [100, 240]}),
    ],
)
def test_points_of_cores_equal_single_estimates(name, vary):
    arch, grid = hwsim.load_arch(name), list(itertools.product(*vary.values()))
    got = at_points(NETWORK, arch, {path: [point[i] for point in grid] for i, path in enumerate(vary)})
    for index, point in enumerate(grid):
        one = hwsim.estimate(NETWORK, with_values(arch, dict(zip(vary, point, strict=True))))
        assert got.layer_us[index].tolist() == pytest.approx([row.latency_us for row in one.layers[1:]], rel=1e-12)


def test_points_of_an_engine_that_takes_one_device_at_a_time_are_the_same(monkeypatch):
    arch, values = hwsim.load_arch("gap8"), {"clock_mhz": [10.0, 50.0, 175.0]}
    together = at_points(NETWORK, arch, values)
    monkeypatch.setattr("hwsim.engines.vector.BROADCASTS", False)
    assert (at_points(NETWORK, arch, values).layer_us == together.layer_us).all()


@settings(max_examples=40)
@given(
    gemm=st.tuples(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1, 9)),
    sides=st.lists(st.tuples(st.integers(1, 80), st.integers(1, 80)), min_size=1, max_size=6),
    flow=st.sampled_from(["os", "ws", "is"]),
    overlap=st.booleans(),
    share=st.sampled_from([1.0, 0.614]),
)
def test_the_mapper_of_many_arrays_is_the_mapper_of_each(gemm, sides, flow, overlap, share):
    rows, cols = (np.array(column) for column in zip(*sides, strict=True))
    compute, fill = _best_at_points(gemm, rows, cols, np.full(len(sides), share), flow, overlap)
    m, n, k, passes = gemm
    for index, (r, c) in enumerate(sides):
        assert (compute[index], fill[index]) == best_mapping(m, n, k, r, c, flow, overlap, share, passes)


@pytest.mark.parametrize(
    ("flow", "kib", "expected"),
    [
        ("ws", 0.24, ["weights (256 bytes for 16 x 16)"]),
        ("ws", 0.25, []),
        ("os", 0.01, ["weights (16 bytes for 16 x 16)"]),
    ],
)
def test_a_memory_smaller_than_a_tile_is_named(flow, kib, expected):
    arch = hwsim.load_arch("systolic-16x16")
    arch = replace(with_values(arch, {"memory.0.size_kib": kib}), array=replace(arch.array, dataflow=flow))
    said = [text for text in hwsim.estimate(NETWORK, arch).warnings if "smaller than one tile" in text]
    assert len(said) == len(expected)
    assert all(part in text for part, text in zip(expected, said, strict=True))


@pytest.mark.parametrize("name", hwsim.archs())
def test_every_number_is_printed_with_unit_and_source(name):
    arch = hwsim.load_arch(name)
    weight, activation = (int(part) for part in arch.precisions[0][1:].split("a"))
    layer = conv(8, 8, 4)
    layer = dataclasses.replace(layer, weight_bits=weight, activation_bits=activation)
    printed = hwsim.estimate(from_layers([layer]), arch).sources
    for path, number in numbers(arch).items():
        (line,) = [text for text in printed if text.startswith(f"{path} = ")]
        assert f" <- {number.source}" in line
        assert not path.endswith(("_mhz", "_kib", "_us", "_mw", "_pj")) or f" {unit(path)} <-" in line


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "equally long, not empty lists of values; got none"),
        ({"array.rows": []}, "got array.rows 0"),
        ({"array.rows": [1, 2], "array.cols": [1]}, "got array.rows 2, array.cols 1"),
        ({"array.rows": [0]}, "array.rows.value=0.0 must be a whole number from 1"),
        ({"array.rows": [8, float("nan")]}, "array.rows.value=nan must be a number"),
        ({"clock_mhz": [-5]}, "clock_mhz.value=-5.0 must be a number from 0"),
        ({"clock_mhz": [1e300]}, "must be a number from 0 to 1e"),
        ({"array.dataflow": [1]}, "array.dataflow is not a number of this specification"),
        ({"array.depth": [1]}, "array.depth is not a number of this specification"),
        ({"memory.7.size_kib": [1]}, "memory.7.size_kib has no entry '7'"),
    ],
)
def test_wrong_points_are_named(values, text):
    with pytest.raises(SpecError, match=text):
        at_points(NETWORK, hwsim.load_arch("systolic-16x16"), values)
