"""What one operation of a micro-block array costs, between its two memories, with its weights staged or not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from hwsim.arch.spatial import MicroArray
from hwsim.arch.spec import Arch
from hwsim.mapping.block_cycles import Ends, carried, run_cycles, touched
from hwsim.mapping.block_shape import SPLIT, Block, Buffer, Shape, buffer_of
from hwsim.mapping.block_steps import Step
from hwsim.mapping.memory_port import Memory, channel_rate, memories
from hwsim.mapping.residence import Operation
from hwsim.mapping.weight_staging import NOTICED, Fetch, first_fetch, scale_bytes, staging_pays, stored

_SLICES = 2
"""Blocks over the depth beyond which the weights of one arrive while the array works on the one before"""


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """Array, buffers, on-chip memory, memory behind the link, size of coded weights over their entropy in percent.

    runs : cycles of operations that were costed: networks repeat them
    """

    m: MicroArray
    buffer: Buffer
    near: Memory
    far: Memory
    coded_pct: float
    runs: dict[tuple[object, ...], float] = field(default_factory=dict[tuple[object, ...], float])


def device_of(arch: Arch) -> Device:
    """The device of a specification."""
    assert arch.microblock is not None
    coded = 100.0 if arch.link is None or arch.link.coded_pct is None else arch.link.coded_pct.value
    return Device(arch.microblock, buffer_of(arch.microblock), *memories(arch), coded)


@dataclass(slots=True)
class Cost:
    """One operation: cycles of the array and output unit, cycles until its operands have come, bytes over the link;
    cycles at its end in which the next operation's weights come."""

    run: float
    time: float
    parameters: float
    maps: float
    spare: float


class Work:
    """One operation with its block, between the memories of a device."""

    def __init__(self, step: Step, block: Block, device: Device) -> None:
        self.step, self.block = step, block
        self.m, self.buffer, self.near, self.far = device.m, device.buffer, device.near, device.far
        self.runs = device.runs
        self.linear = all(x.linear for x in step.reads), step.writes.linear
        self.touched = touched(step.shape, block, *self.linear)
        self.kept = stored(step, block, device.buffer, device.m, device.coded_pct)
        self.fetch: Fetch | None = None
        self.leads = False

    def operation(self) -> Operation:
        """What decides where its feature maps lie."""
        shape, whole = self.step.shape, self.fetch is not None and self.fetch.share >= 1
        held = self.kept.size if self.kept is not None and whole else 0.0
        return Operation(
            shape,
            self.step.writes,
            tuple(self.step.reads),
            shape.kind != "dense" and not self.step.beside,
            held,
            *self.touched,
        )

    def ends(self, blind: bool = False) -> Ends:
        """The memories of input and output; while weights are staged nobody knows yet which maps fit on chip."""
        source = all(x.near for x in self.step.reads) if not blind else not self.m.spills
        target = self.step.writes.near if not blind else not self.m.spills
        reads, writes = (self.near if found else self.far for found in (source, target))
        return Ends(reads, writes, *self.linear)

    def run(self, ends: Ends, staged: bool) -> float:
        """Cycles of the array and the output unit."""
        latency = 0.0 if self.kept is None else (self.near if staged else self.far).read_cycles
        return self._cycles(self.step.shape, ends, latency)

    def _cycles(self, shape: Shape, ends: Ends, latency: float) -> float:
        key = (shape, self.block, ends, self.step.rate, latency)
        known = self.runs.get(key)
        if known is None:
            known = self.runs[key] = run_cycles(shape, self.block, ends, self.m, self.step.rate, latency)
        return known

    def stage(self, slack: float, room: float, leads: bool, chained: bool) -> float:
        """Decide whether the weights are staged; the cycles left to fetch the next operation's meanwhile."""
        ends, kept = self.ends(blind=True), self.kept
        self.fetch, self.leads = None, False
        run = self.run(ends, False)
        if kept is None or self.near is self.far:
            return run
        depth, unit = self.step.shape.depth, max(SPLIT, self.block.micro[2])
        fetch = first_fetch(kept, depth, unit, chained, slack, room, self.near, self.far)
        if fetch is None or (chained and fetch.wait > max(fetch.full / 20, NOTICED)):
            return run
        slices = self.step.shape.depth // self.block.depth > _SLICES and not chained
        if not staging_pays(kept, fetch, run, slices, leads, self.near, self.far):
            return run
        self.fetch, self.leads = fetch, leads
        return self.tail(self.run(ends, True), ends)

    def tail(self, run: float, ends: Ends) -> float:
        """Cycles of the last slice of staged weights, during which others are fetched."""
        if self.fetch is None or self.fetch.share >= 1:
            return run
        shape = self.step.shape
        last = shape._replace(depth=self.fetch.last_filters(shape.depth, self.block.depth, run))
        return self._cycles(last, ends, self.near.read_cycles)

    def held(self, position: int) -> list[tuple[int, float]]:
        """Bytes of staged weights on chip while this operation runs, and the one before it."""
        if self.kept is None or self.fetch is None:
            return []
        ahead = self.kept.size * self.fetch.share
        return [(position, min(self.kept.size, 2 * ahead)), *([(position - 1, ahead)] if position > 0 else [])]

    def maps(self, ends: Ends) -> dict[tuple[Memory, str], float]:
        """Bytes of feature maps by memory and channel."""
        moved: dict[tuple[Memory, str], float] = defaultdict(float)
        reads, writes = carried(self.step.shape, self.block, ends, int(self.m.cores.value), self.touched)
        channel = "elements" if self.step.shape.kind == "elementwise" else "inputs"
        for found in self.step.reads:
            moved[self.near if found.near else self.far, channel] += reads
        for found in self.step.beside:
            moved[self.near if found.near else self.far, "elements"] += found.size
        moved[ends.writes, "write"] += writes
        return moved

    def cost(self, spare: float) -> Cost:
        """What the operation costs, as often as it runs; its first weights come in the spare cycles before it."""
        ends, kept, fetch, near, far = self.ends(), self.kept, self.fetch, self.near, self.far
        run, moved = self.run(ends, fetch is not None), self.maps(ends)
        maps = sum(size for (memory, _), size in moved.items() if memory is far and far is not near)
        time, parameters, tail = run, 0.0, run
        if kept is not None and fetch is None:
            parameters = (kept.weights + kept.scales) * kept.reads
            moved[far, "weights"] += kept.weights * kept.reads
            moved[far, "scales"] += kept.scales * kept.reads
        elif kept is not None and fetch is not None:
            depth = self.step.shape.depth
            first = fetch.first_filters(depth)
            scales = scale_bytes(depth, first % depth, self.block, self.buffer) * kept.reads
            rest = kept.weights * (1 - (0.0 if self.leads else fetch.share))
            moved[far, "moves"] += rest
            moved[near, "write"] += rest
            moved[near, "weights"] += kept.weights * kept.reads
            moved[far, "scales"] += scales
            parameters = kept.weights + scales
            tail = self.tail(run, ends)
            time = max(run + max(0.0, fetch.first - spare), fetch.full - spare + tail)
        time, repeat = max(time, _slowest(moved)), self.step.repeat
        return Cost(run * repeat, time * repeat, parameters * repeat, maps * repeat, time * tail / run)


def _slowest(moved: dict[tuple[Memory, str], float]) -> float:
    """Cycles until the slower memory has moved everything, each channel of it within its rate."""
    whole: dict[Memory, float] = defaultdict(float)
    slowest = 0.0
    for (memory, channel), size in moved.items():
        whole[memory] += size
        slowest = max(slowest, size / channel_rate(memory, channel))
    return max([slowest, *(size / memory.rate for memory, size in whole.items())])
