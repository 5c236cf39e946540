"""Cycle formulas against counts of simulated Verilog arrays, and against the published formulas."""

import math

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
from hwsim.arch.vary import with_values
from hwsim.engines.base import columns
from hwsim.engines.systolic import best_mapping, cycles
from hwsim.errors import SpecError
from hwsim.machine.closed_form import mapping_efficiency, scalesim_gemm, systolic_cycles, systolic_utilization
from hwsim.report.text import as_table
from hwsim.workload import Layer, LoopNest, from_layers
from tests.unit.hwsim.small_layers import add, conv

# rows, cols, M, N, K -> output stationary, overlapped, weight stationary, prefetching; counted in Verilog simulation
SIMULATED = [
    ((4, 4, 16, 16, 16), (417, 267, 433, 268)),
    ((8, 8, 33, 17, 65), (1306, 998, 1513, 915)),
    ((16, 16, 49, 64, 144), (3041, 2351, 3457, 1812)),
    ((16, 4, 100, 30, 27), (3417, 1767, 2161, 1636)),
    ((8, 8, 64, 8, 3), (201, 131, 88, 88)),
    ((1, 1, 3, 4, 5), (73, 62, 101, 63)),
]


@pytest.mark.parametrize(("case", "counted"), SIMULATED)
def test_rtl_cycles_equal_the_simulated_arrays(case, counted):
    rows, cols, m, n, k = case
    forms = [("os", False), ("os", True), ("ws", False), ("ws", True)]
    got = tuple(systolic_cycles(m, n, k, rows, cols, flow, "rtl", overlap=overlap) for flow, overlap in forms)
    assert got == counted


def test_scalesim_cycles_follow_the_published_formula():
    m, n, k, r, c = 49, 64, 144, 16, 8
    assert systolic_cycles(m, n, k, r, c, "os", "scalesim") == 4 * 8 * (k + r + c - 2) - 1
    assert systolic_cycles(m, n, k, r, c, "ws", "scalesim") == 9 * 8 * (m + 2 * r + c - 2) - 1
    assert systolic_cycles(m, n, k, r, c, "is", "scalesim") == 9 * 7 * (n + 2 * r + c - 2) - 1


def test_arrays_give_what_scalars_give():
    m = np.array([3, 49, 100])
    many = systolic_cycles(m, 30, 27, 16, 4, "ws", "rtl")
    assert many.tolist() == [systolic_cycles(int(value), 30, 27, 16, 4, "ws", "rtl") for value in m]


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
@pytest.mark.parametrize("overlap", [False, True])
def test_mapper_finds_the_best_sub_array(flow, overlap):
    m, n, k, rows, cols = 13, 21, 9, 8, 6
    r, c = np.meshgrid(np.arange(1, rows + 1), np.arange(1, cols + 1))
    best = systolic_cycles(m, n, k, r, c, flow, "rtl", overlap=overlap).min()
    assert sum(best_mapping(m, n, k, rows, cols, flow, overlap)) == best


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 1, 1, 4, 4, "os"), "M=0 must be whole numbers of at least 1"),
        ((1, 1, 1, -4, 4, "os"), "rows=-4 must be whole numbers of at least 1"),
        ((1, 1, 1.5, 4, 4, "os"), "K=1.5 must be whole numbers of at least 1"),
        ((1, 1, 1, 4, 1 << 40, "os"), "cols=1099511627776 is above 2147483648"),
        ((np.ones(3, int), np.ones(2, int), 1, 4, 4, "os"), "do not broadcast"),
        ((1, 1, 1, 4, 4, "os", "scalesim", True), "overlap=True has no 'scalesim' form"),
        ((1, 1, 1, 4, 4, "rs"), "dataflow='rs' is not one of os, ws, is"),
        (
            (1, 1, 1, 4, 4, "os", "verilog"),
            "convention='verilog' is not one of scalesim, scalesim-paper, rtl, rtl-overlapped",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, text):
    with pytest.raises(SpecError, match=text):
        systolic_cycles(*arguments)


# rows, cols, dataflow, (M, N, K) -> total cycles, overall utilization %, mapping efficiency %; from SCALE-Sim 3.0.0
SCALESIM = [
    (4, 4, "os", (3, 5, 7), 25, 26.25, 46.875),
    (4, 4, "os", (9, 9, 9), 134, 34.00186567164179, 56.25),
    (4, 3, "ws", (3, 5, 7), 47, 18.617021276595743, 72.91666666666666),
    (4, 3, "is", (3, 5, 7), 27, 32.407407407407405, 87.5),
    (4, 3, "is", (9, 9, 9), 161, 37.732919254658384, 75.0),
    (4, 3, "ws", scalesim_gemm(8, 8, 3, 3, 2, 5, 2), 249, 48.19277108433735, 75.0),
    (4, 3, "ws", scalesim_gemm(7, 7, 1, 1, 2, 5, 3), 35, 21.428571428571427, 41.666666666666664),
]


@pytest.mark.parametrize(("rows", "cols", "flow", "gemm", "total", "utilization", "mapping"), SCALESIM)
def test_scalesim_convention_gives_the_columns_of_its_report(rows, cols, flow, gemm, total, utilization, mapping):
    assert systolic_cycles(*gemm, rows, cols, flow) == total
    assert systolic_utilization(*gemm, rows, cols, flow) * 100 == pytest.approx(utilization, rel=1e-12)
    assert mapping_efficiency(*gemm, rows, cols, flow) * 100 == pytest.approx(mapping, rel=1e-12)


def test_paper_convention_counts_the_last_cycle_too():
    assert systolic_cycles(9, 9, 9, 4, 3, "is", "scalesim-paper") == 162


def test_named_overlap_equals_the_flag():
    assert systolic_cycles(33, 17, 65, 8, 8, "ws", "rtl-overlapped") == 915
    assert systolic_utilization(33, 17, 65, 8, 8, "ws", "rtl-overlapped") == 33 * 17 * 65 / (915 * 64)


def test_one_mac_on_one_element_has_no_scalesim_utilization():
    assert math.isnan(systolic_utilization(1, 1, 1, 1, 1, "os"))


def test_a_filter_larger_than_the_input_is_refused():
    with pytest.raises(SpecError, match="filter 5x1 is larger than the input 4x4; give padded input sizes"):
        scalesim_gemm(4, 4, 5, 1, 3, 8)


def test_direct_mapping_runs_the_tile_of_every_tap_where_im2col_fills_the_rows():
    arch, first = hwsim.load_arch("systolic-16x16"), columns([conv(3, 16, 32)])

    def on(flow, mapping):
        array = replace(arch.array, dataflow=flow, mapping=mapping, overlap=False)
        return cycles(first, replace(arch, array=array))

    direct, im2col = on("ws", "direct"), on("ws", "im2col")
    assert direct.total[0] == 1 + 9 * (2 * 3 + 16 + 1024 - 1)  # 3 channels x 16 filters a tap
    assert im2col.total[0] == 1 + 2 * (2 * 14 + 16 + 1024 - 1)  # 27 products in two tiles of 14 rows
    assert on("os", "direct").total[0] == on("os", "im2col").total[0]


def with_memory(**changes):
    """The generic array with one memory of weights; a plain number becomes a quantity."""
    arch = hwsim.load_arch("systolic-16x16")
    given = {
        name: value if isinstance(value, bool) else replace(arch.clock_mhz, value=value)
        for name, value in changes.items()
    }
    memory = replace(arch.memory[0], bandwidth_mb_per_s=None, width_bits=None)
    return replace(arch, memory=(replace(memory, **given), arch.memory[1]))


def test_a_slow_memory_stalls_what_the_array_does_not_cover():
    layer = columns([conv(64, 64, 4)])  # 36,864 weights and 64 biases of 4 bytes
    free = cycles(layer, with_memory()).total[0]
    filling = (36_864 + 256) * 500 / 1000  # bytes at 500 MHz and 1000 MB/s
    covered = cycles(layer, with_memory(bandwidth_mb_per_s=1000))
    alone = cycles(layer, with_memory(bandwidth_mb_per_s=1000, double_buffered=False))
    assert filling > free
    assert covered.total[0] == filling
    assert alone.total[0] == free + filling
    assert alone.stall[0] == filling


def test_banks_limit_what_the_array_reads_in_a_cycle():
    layer = columns([conv(64, 64, 4)])
    free = cycles(layer, with_memory()).total[0]
    for banks in (1, 2, 4, 64):
        got = cycles(layer, with_memory(banks=banks, width_bits=32))
        assert got.total[0] == max(free, (36_864 + 256) / (4 * banks))
        assert got.stall[0] >= 0


def test_the_report_states_mapping_and_convention():
    report = hwsim.estimate(hwsim.from_layers([conv(3, 16, 32)]), hwsim.load_arch("systolic-16x16"))
    assert report.sources[0] == "array: 16 x 16 ws, im2col mapping, tiles overlap, cycles counted as rtl-overlapped"
    assert "16 x 16 ws, im2col mapping" in as_table(report, layers=False, sources=False)


def joined(elements: int, copied: int) -> Layer:
    nest = LoopNest(kind="move", inputs=(elements // 2, elements // 2), outputs=elements)
    return Layer(name="join", op="Concatenate", nest=nest, copied=copied)


def test_a_concatenation_costs_what_it_copies_and_nothing_where_it_is_written_in_place():
    arch = hwsim.load_arch("edgetpu")
    layer_cycles = arch.overhead.layer_us.value * arch.clock_mhz.value
    done = cycles(columns([joined(6000, 3000), joined(6000, 0)]), arch)
    assert done.total == pytest.approx([3000 / arch.vector.copied_per_cycle.value + layer_cycles, 0])
    plain = replace(arch, vector=replace(arch.vector, copied_per_cycle=None))
    done = cycles(columns([joined(6000, 3000), joined(6000, 0)]), plain)
    assert done.total == pytest.approx([6000 / arch.vector.lanes.value + layer_cycles] * 2)


def test_rates_of_copies_may_be_design_points():
    work = from_layers([joined(6000, 3000), joined(6000, 0), conv(16, 16, 8)])
    arch = hwsim.load_arch("edgetpu")
    first, second = [layer.latency_us for layer in hwsim.estimate(work, arch).layers if layer.op == "Concatenate"]
    assert first > second == 0
    at = hwsim.at_points(work, arch, {"vector.copied_per_cycle": [1, 4]}).latency_ms
    for rate, latency in zip((1.0, 4.0), at, strict=True):
        one = with_values(arch, {"vector.copied_per_cycle": rate})
        assert latency == pytest.approx(hwsim.estimate(work, one).latency_ms, rel=1e-12)


def test_a_normalization_without_a_convolution_is_two_passes():
    arch = hwsim.load_arch("edgetpu")
    nest = LoopNest(kind="normalize", inputs=(5300,), weights=200, outputs=5300, operations=2 * 5300)
    done = cycles(columns([Layer(name="bn", op="BatchNormalization", nest=nest), add(5300)]), arch)
    layer_cycles = arch.overhead.layer_us.value * arch.clock_mhz.value
    assert done.overhead == pytest.approx([2 * layer_cycles, layer_cycles])
    assert done.compute == pytest.approx([2 * 5300 / arch.vector.lanes.value] * 2)  # an addition reads two operands


def test_weights_pass_their_memory_before_a_layer_where_it_has_one_buffer():
    arch = hwsim.load_arch("edgetpu")
    layer = conv(256, 512, 7)
    rate = arch.memory[0].bandwidth_mb_per_s.value / arch.clock_mhz.value
    assert not arch.memory[0].double_buffered
    assert cycles(columns([layer]), arch).stall == pytest.approx([layer.weight_bytes / rate])
