"""Rates and latencies of the two memories beside a micro-block array.

rate of a channel = min(port, burst * bursts in flight * 80 % / latency)
bursts in flight  = min(bytes in flight of the channel / burst, 80 % of the reads (writes) in flight on all ports)
transfer          = latency + bytes * (burst / run) / port           run: bytes that lie side by side, at most a burst
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.arch.spatial import Channels, Port
from hwsim.arch.spec import Arch
from hwsim.mapping.block_shape import Block, Shape

REACHED = 0.8
"""Share of the bursts a memory takes that stay in flight, and of the rate they give (ethos-u-vela)"""
BRICK = 16
"""Channels that lie side by side in the blocked layout"""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """bytes a cycle; bytes of a burst; cycles before the first byte read or written; bytes a cycle of each channel."""

    rate: float
    burst: float
    read_cycles: float
    write_cycles: float
    channels: dict[str, float]


def memories(arch: Arch) -> tuple[Memory, Memory]:
    """(on-chip memory, memory behind the link); the same one twice where parameters stay on chip."""
    m = arch.microblock
    assert m is not None
    channels: dict[str, float] = {}
    if m.channels is not None:
        channels = {name.removesuffix("_bytes"): getattr(m.channels, name).value for name in Channels.__struct_fields__}
    found = [_memory(port, arch, channels) for port in (m.near, *([m.far] if m.far is not None else []))]
    return found[0], found[-1]


def _memory(port: Port, arch: Arch, flying: dict[str, float]) -> Memory:
    """`flying`: bytes in flight of each channel that reads; none where channels get what the port gives."""
    link = float("inf") if arch.link is None else arch.link.bandwidth_mb_per_s.value / arch.clock_mhz.value
    rate = link if port.bytes_per_cycle is None else port.bytes_per_cycle.value
    burst, reading, writing = port.burst_bytes.value, port.read_cycles.value, port.write_cycles.value
    reads, writes = (REACHED * kind.value * port.ports.value for kind in (port.reads, port.writes))

    def reached(bursts: float, latency: float) -> float:
        return min(rate, burst * bursts / latency * REACHED) if latency else rate

    channels = {name: reached(min(reads, size / burst), reading) for name, size in flying.items()}
    if flying:
        channels["write"] = reached(writes, writing)
    return Memory(rate=rate, burst=burst, read_cycles=reading, write_cycles=writing, channels=channels)


def channel_rate(memory: Memory, channel: str) -> float:
    """Bytes a cycle that one channel gets from a memory; channel "write" is the only one that writes."""
    return memory.channels.get(channel, memory.rate)


def stretch(memory: Memory, shape: Shape, block: Block, linear: bool, reads: bool, cores: int) -> float:
    """Bytes that a burst moves for each byte wanted: runs shorter than a burst waste the rest of it."""
    side = (shape.columns, shape.channels, block.columns, block.channels)
    width, deep, held_width, held = side if reads else (shape.width, shape.depth, block.width, block.depth)
    if not linear:
        run = held * held_width if width * BRICK == held else BRICK * held_width * (1 if reads else cores)
    elif deep == held and (reads or held <= BRICK):
        run = held * held_width
    else:
        run = held if reads else min(64, BRICK * cores, held)
    return memory.burst / min(memory.burst, run)


def moving_cycles(source: Memory, target: Memory, size: float) -> float:
    """Cycles to carry bytes from one memory to the other."""
    reading = size / channel_rate(source, "moves") + source.read_cycles
    return max(reading, size / channel_rate(target, "write") + target.write_cycles)
