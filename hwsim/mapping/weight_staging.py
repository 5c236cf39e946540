"""Weights on their way to a micro-block array: coded size, and whether they are staged on chip first.

    coded   = weights * entropy * coded_pct + padding           bits, in whole bursts of 16 bytes
    padding = 1 bit a weight where there is any, 0.9 bits a zero: weights are stored for whole micro-blocks of filters,
              whole input blocks or steps of taps, whole tap groups of depthwise windows
    scales  = 10 bytes a filter

An operation reads all weights again for every block over its image. Staged ones come from the link once, while the
operation before still runs, and are read on chip: those of the first slice before the operation starts, the others
while it runs.
"""

from __future__ import annotations

from typing import NamedTuple

from hwsim.arch.spatial import MicroArray
from hwsim.mapping.block_shape import BIAS_BYTES, SPLIT, Block, Buffer, up
from hwsim.mapping.block_steps import Step
from hwsim.mapping.memory_port import Memory, channel_rate, moving_cycles

_UNIT = 16
_ZERO_BITS = 0.9
NOTICED = 1000
"""Cycles of waiting below which an operation bound by its array is taken to hide them"""


class Stored(NamedTuple):
    """Bytes of coded weights, of biases with their scales, and how often an operation reads them."""

    weights: float
    scales: float
    reads: int

    @property
    def size(self) -> float:
        """Bytes of everything."""
        return self.weights + self.scales


class Fetch(NamedTuple):
    """Share of the weights fetched ahead; cycles that hide it; cycles to fetch that share, all of them, the smallest
    slice; grain of the filters of the first."""

    share: float
    slack: float
    first: float
    full: float
    smallest: float
    unit: int

    @property
    def wait(self) -> float:
        """Cycles the operation waits for its first weights."""
        return max(0.0, self.first - self.slack)

    def first_filters(self, depth: int) -> int:
        """Filters whose weights are fetched ahead."""
        return depth if self.share >= 1 else max(SPLIT, int(depth * self.share) // self.unit * self.unit)

    def last_filters(self, depth: int, block: int, run: float) -> int:
        """Filters of the last slice: the others, whole blocks deep, are as many as can be fetched during the first."""
        first = self.first_filters(depth)
        rest = depth - first
        if rest <= 0:
            return depth
        slices = up(run * first / self.full, block)
        return rest % slices or min(rest, slices)


def stored(step: Step, block: Block, buffer: Buffer, m: MicroArray, coded: float) -> Stored | None:
    """Coded parameters of an operation, of one group where it has groups; None where it has none."""
    shape = step.shape
    if not step.weights or shape.kind not in ("mac", "depthwise", "dense"):
        return None
    bits = min(float(step.weight_bits), step.entropy_bits * coded / 100)
    taps, alone, outputs = shape.window[0] * shape.window[1], shape.kind == "depthwise", shape.depth
    filters = up(outputs, block.micro[2] * int(m.cores.value))
    channels = 1 if alone else shape.channels
    if alone:
        held = up(taps, int(m.depthwise_taps.value))
    elif block.part:
        held = up(channels, buffer.part_grain) * up(taps, buffer.part_taps)
    else:
        held = up(channels, buffer.first_channels) * taps
    real, padded = outputs * channels * taps, filters * held
    size = real * bits + (real + _ZERO_BITS * (padded - real) if padded > real else 0)
    image = -(-shape.height // min(block.height, shape.height)) * -(-shape.width // min(block.width, shape.width))
    return Stored(up(-(-size // 8), _UNIT), scale_bytes(shape.depth, 0, block, buffer), image)


def scale_bytes(filters: int, first: int, block: Block, buffer: Buffer) -> float:
    """Bytes of biases and scales, in whole micro-blocks of filters where buffers are apart; `first` of them in a slice
    of their own."""
    grain = 1 if buffer.shared else max(SPLIT, block.micro[2])
    return sum(up(BIAS_BYTES * up(size, grain), _UNIT) for size in (first, filters - first) if size > 0)


def first_fetch(
    kept: Stored, depth: int, unit: int, whole: bool, slack: float, room: float, near: Memory, far: Memory
) -> Fetch | None:
    """What is fetched ahead in the slack of the operation before, everything if `whole`.

    None if even the least slice, 16 filters, does not fit in the room.
    """
    size, full = kept.size, moving_cycles(far, near, kept.size)
    least = 1.0 if whole else min(1.0, SPLIT / depth)
    share = min(1.0, max(least, slack / full))
    if 1 - share < least / 2:
        share = 1.0
    if size * share > room or (share < 1 and size * share > room / 2):
        share = 0.5 * room / size
    if share < least:
        return None
    return Fetch(share, slack, moving_cycles(far, near, size * share), full, full * least, unit)


def staging_pays(kept: Stored, fetch: Fetch, run: float, slices: bool, leads: bool, near: Memory, far: Memory) -> bool:
    """Whether staged weights are not slower, of an operation of `run` cycles.

    What is waited for counts only where it is much, or where the operation is bound by its weights; the first operation
    of a network (`leads`) is taken to wait a little anyway.
    """
    here, there = reading_cycles(kept, near), reading_cycles(kept, far)
    pressed = leads and kept.reads > 1 and (fetch.smallest < there / 10 or fetch.smallest <= NOTICED)
    hidden = not leads and kept.reads > 1 and fetch.smallest < fetch.slack
    if here >= there or not (pressed or hidden or slices or here + max(0.0, fetch.full - fetch.slack) < there):
        return False
    wait = max(0.0, fetch.first - (NOTICED if pressed else fetch.slack))
    before = max(run, there)
    after = max(run + (0.0 if run > there and wait < NOTICED else wait), here)
    return after <= before and (kept.reads > 1 or fetch.full + here <= before)


def reading_cycles(kept: Stored, memory: Memory) -> float:
    """Cycles to see all weights as often as the operation does, each time after the memory's latency."""
    return (kept.size / channel_rate(memory, "weights") + memory.read_cycles) * kept.reads
