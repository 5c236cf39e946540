"""Cycle formulas against counts of simulated Verilog arrays, and against the published formulas."""

import numpy as np
import pytest

from hwsim.engines.systolic import best_mapping, systolic_cycles
from hwsim.errors import SpecError

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
        ((1, 1, 1, 4, 4, "rs"), "dataflow='rs' is not one of os, ws, is"),
        ((1, 1, 1, 4, 4, "os", "verilog"), "convention='verilog' is not one of scalesim, rtl"),
    ],
)
def test_wrong_arguments_are_named(arguments, text):
    with pytest.raises(SpecError, match=text):
        systolic_cycles(*arguments)
