"""cocotb bench of requantize: accumulators of the corner layers go in, codes of the golden model must come out.

$REFQ_PROFILE: the arithmetic; $REFQ_CORRUPT: number of an expected code to falsify.
"""

from __future__ import annotations

import os
from dataclasses import replace

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from refq.verify import Golden, Scoreboard, corner_cases

DEPTH = 4


@cocotb.test()
async def codes_are_those_of_the_golden_model(dut):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst_n.value, dut.in_valid.value = 0, 0
    for port in (dut.acc, dut.multiplier, dut.shift, dut.zero_point, dut.low, dut.high):
        port.value = 0
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst_n.value = 1
    for case in corner_cases():
        if case.graph.name.startswith(("ties", "operands")):
            await check(dut, Golden(case.graph, os.environ["REFQ_PROFILE"]), case.graph.name, case.x)


async def check(dut, golden: Golden, layer: str, x) -> None:
    (record,) = golden.records(x, (layer,))
    expected = list(golden.step(layer, x))
    if os.environ.get("REFQ_CORRUPT"):
        place = int(os.environ["REFQ_CORRUPT"]) % len(expected)
        expected[place] = replace(expected[place], value=expected[place].value ^ 1)
    board = Scoreboard(expected, layer=layer, record=record, bits=8)
    p, tensors = record.parameters, record.tensors
    dut.zero_point.value, dut.low.value, dut.high.value = p["y_zero"], p["y_low"], p["y_high"]
    acc = tensors["acc"].values
    rows = zip(
        acc.reshape(-1).tolist(),
        *(np.broadcast_to(tensors[name].values, acc.shape).reshape(-1).tolist() for name in ("multiplier", "shift")),
        strict=True,
    )
    for row in [*rows, *[None] * (DEPTH + 1)]:
        dut.in_valid.value = int(row is not None)
        if row is not None:
            dut.acc.value, dut.multiplier.value, dut.shift.value = row
        await FallingEdge(dut.clk)
        if dut.out_valid.value == 1:
            board.observe(dut.y.value)
    board.finish()
