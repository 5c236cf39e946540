"""Cycles of one operation of a micro-block array whose operands wait in its memories.

The formulas stand at the top of hwsim/engines/microblock.py.
"""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import NamedTuple

from hwsim.arch.spatial import MicroArray
from hwsim.mapping.block_shape import ALONE, BIAS_BYTES, LANES, WINDOW, Block, Shape, up
from hwsim.mapping.memory_port import BRICK, Memory, stretch
from hwsim.mapping.output_block import pieces

_STEP = 4
_SHARE = 4
"""Commands in flight: a block waits for a fourth of its command time"""
_BIAS_BURST = 256
"""Bytes of biases and scales fetched in one latency"""


class Ends(NamedTuple):
    """Memories an operation reads from and writes to, and whether its input and output lie row by row there."""

    reads: Memory
    writes: Memory
    linear_input: bool
    linear_output: bool


def clipped(shape: Shape, block: Block) -> tuple[int, int, int]:
    """Sides of the block inside the output."""
    return min(block.height, shape.height), min(block.width, shape.width), min(block.depth, shape.depth)


def run_cycles(shape: Shape, block: Block, ends: Ends, m: MicroArray, rate: float, bias_cycles: float) -> float:
    """Cycles of an operation; `rate` of an output, `bias_cycles` the latency of its biases, 0 where it has none."""
    cores = m.cores.value
    reads, writes = _edges(shape, block, ends, int(cores))
    if shape.kind == "elementwise":
        block_outputs = block.height * block.width * block.depth
        each = max(rate / cores, (max(reads, writes) / block_outputs + rate / cores) / _SHARE)
        depth = shape.depth if ends.linear_output else up(shape.depth, BRICK)
        return each * shape.height * shape.width * depth
    micro = _micro(shape, block, m)
    h, w, d = clipped(shape, block)
    h = 1 if micro != block.micro else h
    array = _array(shape, block, m, micro, (h, w, d)) / cores
    output = max(ceil(rate * h * w * d / cores), BIAS_BYTES * d * bias_cycles / _BIAS_BURST)
    blocks = _number((shape.height, shape.width, shape.depth), micro) / _number((h, w, d), micro)
    command = ((abs(writes - reads) if blocks > 1 else 0) + array + output) / _SHARE
    array, output = max(array, command), max(output, command)
    return reads + max(array, output) * blocks + min(array, output) + writes


def _number(sides: tuple[int, int, int], micro: tuple[int, int, int]) -> int:
    """Micro-blocks that cover outputs of these sides."""
    return -(-sides[0] // micro[0]) * -(-sides[1] // micro[1]) * -(-sides[2] // micro[2])


def _micro(shape: Shape, block: Block, m: MicroArray) -> tuple[int, int, int]:
    """A block of one row is worked on by a flat micro-block where the array has square ones only."""
    flat = shape.height == 1 and shape.width % 2 == 0 and shape.window[0] == 1
    if len(m.blocks) == 1 and block.micro[0] == 2 and shape.kind in ("mac", "dense") and flat:
        return 1, 4, block.micro[2]
    return block.micro


def _edges(shape: Shape, block: Block, ends: Ends, cores: int) -> tuple[float, float]:
    """Cycles to carry one input block, one output block."""
    h, w, d = clipped(shape, block)
    held = min(block.rows, shape.rows) * min(block.columns, shape.columns) * min(block.channels, shape.channels)
    source, target = ends.reads, ends.writes
    reads = source.read_cycles + held * stretch(source, shape, block, ends.linear_input, True, cores) / source.rate
    writes = h * w * d * stretch(target, shape, block, ends.linear_output, False, cores) / target.rate
    return reads, target.write_cycles + writes


@cache
def _taps(window: tuple[int, int]) -> list[int]:
    """Taps of each piece of a window: sides beyond 8 are cut."""
    sides = [[min(WINDOW, side - start) for start in range(0, side, WINDOW)] for side in window]
    return [a * b for a in sides[0] for b in sides[1]]


def _array(
    shape: Shape, block: Block, m: MicroArray, micro: tuple[int, int, int], sides: tuple[int, int, int]
) -> float:
    h, w, d = sides
    over, deep = -(-h // micro[0]) * -(-w // micro[1]), -(-d // micro[2])
    decode = _STEP * LANES * micro[2] / m.weights_per_cycle.value
    held, total = min(block.channels, shape.channels), 0.0
    for taps in [1] if shape.kind in ("dense", "matmul") else _taps(shape.window):
        steps, groups = -(-taps // _STEP), 1
        if shape.kind == "pool":
            steps, busy = 1, max(_STEP, taps) * over * deep * m.cycles_per_tap.value
        elif shape.kind == "depthwise":
            busy = max(decode, _STEP * over) * steps * deep
        elif block.part:
            groups = -(-held // LANES)
            busy = max(decode, _STEP * over) * steps * deep * groups
        else:
            steps = taps
            busy = max(decode, held // LANES * over if m.wide_steps else _STEP * over) * steps * deep
        if m.skips_zeros and shape.kind == "mac" and shape.channels <= 2:
            busy /= 2
        if over == 1:
            busy += m.latency_cycles.value * (steps if deep == 1 else (steps - 1) * deep) * groups
        total += busy
    return total if shape.kind in ALONE else total * -(-shape.channels // held)


def carried(shape: Shape, block: Block, ends: Ends, cores: int, wanted: tuple[float, float]) -> tuple[float, float]:
    """Bytes that move for those `touched` of input and output, with what bursts waste."""
    reads, writes = wanted
    reads *= stretch(ends.reads, shape, block, ends.linear_input, True, cores)
    return reads, writes * stretch(ends.writes, shape, block, ends.linear_output, False, cores)


def touched(shape: Shape, block: Block, linear_input: bool, linear_output: bool) -> tuple[float, float]:
    """Elements an operation reads of its input, again for every block that needs them, and writes of its output."""
    width, deep = shape.columns, shape.channels if linear_input else up(shape.channels, BRICK)
    writes = float(shape.height * shape.width * (shape.depth if linear_output else up(shape.depth, BRICK)))
    if shape.kind == "elementwise":
        return float(shape.rows * width * deep), writes
    h, w, d = clipped(shape, block)
    reads = float(min(block.rows, shape.rows) * min(block.columns, width) * deep)
    reads *= -(-shape.height // h) * -(-shape.width // w) * (1 if shape.kind in ALONE else -(-shape.depth // d))
    return reads * (
        1 if shape.kind in ("dense", "matmul") else pieces(shape.window[0]) * pieces(shape.window[1])
    ), writes
