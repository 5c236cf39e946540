"""cocotb bench of systolic_os: the golden model serves the memories and checks every sum as it leaves.

$REFQ_CORRUPT: number of an expected sum to falsify, for the test that a wrong expectation fails.
"""

from __future__ import annotations

import os
from dataclasses import replace

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from refq.verify import ArrayOrder, Golden, Scoreboard, WordFormat, corner_cases
from refq.verify.arrays import operands

LAYERS = ("size_k1", "size_tall", "size_wide", "size_ragged", "operands_0")


@cocotb.test()
async def sums_leave_as_the_golden_model_says(dut):
    order = ArrayOrder(rows=int(dut.ROWS.value), cols=int(dut.COLS.value))
    cases = {case.graph.name: case for case in corner_cases(order.rows, order.cols)}
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for name in LAYERS:
        await check(dut, Golden(cases[name].graph), name, cases[name].x, order)


async def check(dut, golden: Golden, layer: str, x, order: ArrayOrder) -> None:
    (record,) = golden.records(x, (layer,))
    a, b = operands(record, order)
    m, k = record.product()[0].shape
    n = record.product()[1].shape[1]
    a_mem = WordFormat(bits=int(dut.A_BITS.value), lanes=order.rows).pack(a.words)
    b_mem = WordFormat(bits=int(dut.B_BITS.value), lanes=order.cols).pack(b.words)
    expected = list(golden.step(layer, x, order))
    if os.environ.get("REFQ_CORRUPT"):
        place = int(os.environ["REFQ_CORRUPT"]) % len(expected)
        expected[place] = replace(expected[place], value=expected[place].value ^ 1)
    board = Scoreboard(expected, layer=layer, record=record, array=order, bits=32)
    m_tiles, n_tiles = -(-m // order.rows), -(-n // order.cols)

    dut.rst_n.value, dut.start.value = 0, 0
    dut.k_size.value, dut.m_tiles.value, dut.n_tiles.value = k, m_tiles, n_tiles
    dut.a_data.value, dut.b_data.value = 0, 0
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst_n.value, dut.start.value = 1, 1
    # Clocks: rising edges out of reset, up to the one that samples the last sum.
    last = 0
    for clocks in range(1, m_tiles * n_tiles * (2 * order.rows + order.cols + k) + 20):
        await FallingEdge(dut.clk)
        dut.a_data.value = a_mem[min(int(dut.a_addr.value), len(a_mem) - 1)]
        dut.b_data.value = b_mem[min(int(dut.b_addr.value), len(b_mem) - 1)]
        if dut.out_valid.value == 1:
            last = clocks + 1
            word = dut.out_data.value
            for lane in range(order.cols):
                board.observe(word[32 * lane + 31 : 32 * lane])
    result = board.finish()
    assert last == 1 + m_tiles * n_tiles * (2 * order.rows + order.cols + k - 2)
    dut._log.info("%s: %d sums in %d clocks", layer, result.checked, last)
