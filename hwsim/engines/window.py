"""Window engine: products of a whole window, formed for many channels a cycle (binary chips, vision accelerators).

    cycles = ceil(pixels / P) G ceil(K / filters) ceil(C / channels) ceil(FY / side) ceil(FX / side)  of the best mode
    fill   = the same with reload_filters in place of filters, times load_cycles; none where loading is hidden
    stall  = weights / bandwidth of their memory:    beyond the cycles where it is double buffered, else all of it

A mode works on side x side windows, `channels` input channels, `filters` filters and P pixels at once; smaller windows
leave part of it idle, larger ones take several steps. Layers without products pass the vector unit, `lanes` elements a
cycle.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.arch.vary import whole
from hwsim.engines.base import Cycles, Layers

BROADCASTS = True
ON_ARRAY = ("mac", "matmul", "depthwise")


def peak_macs_per_cycle(arch: Arch) -> Any:
    """Products a cycle of the largest mode."""
    w = arch.window
    assert w is not None
    most = reduce(np.maximum, (mode.side.value**2 * mode.filters.value for mode in w.modes))
    return w.channels.value * most * (1.0 if w.pixels is None else w.pixels.value)


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    w = arch.window
    assert w is not None
    on_array = np.isin(layers.kind, ON_ARRAY)
    pixels = -(-layers.M // (1 if w.pixels is None else whole(w.pixels))) * layers.groups
    depth = -(-(layers.K // np.maximum(layers.window, 1)) // whole(w.channels))
    load = 1.0 if w.load_cycles is None else w.load_cycles.value
    best: Any = np.inf
    compute: Any = np.zeros(len(layers))
    fill: Any = np.zeros(len(layers))
    for mode in w.modes:
        side = whole(mode.side)
        steps = depth * -(-layers.FY // side) * -(-layers.FX // side)
        streaming = pixels * steps * -(-layers.N // whole(mode.filters))
        loading: Any = np.zeros(len(layers))
        if w.reload_filters is not None:
            loading = pixels * steps * -(-layers.N // whole(w.reload_filters)) * load
        better = streaming + loading < best
        best = np.where(better, streaming + loading, best)
        compute, fill = np.where(better, streaming, compute), np.where(better, loading, fill)
    lanes = 1.0 if arch.vector is None else arch.vector.lanes.value
    work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs) / lanes
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(
        compute=np.where(on_array, compute, work),
        fill=np.where(on_array, fill, 0.0),
        stall=np.where(on_array, _waiting(layers, arch, compute + fill), 0.0),
        overhead=np.zeros(len(layers)) + overhead,
    )


def _waiting(layers: Layers, arch: Arch, busy: Any) -> Any:
    """Cycles in which weights come from their memory and nothing is computed."""
    waiting: Any = np.zeros(len(layers))
    for memory in arch.memory:
        if memory.holds in ("weights", "both") and memory.bandwidth_mb_per_s is not None:
            load = layers.weight_bytes * arch.clock_mhz.value / memory.bandwidth_mb_per_s.value
            waiting = waiting + (np.maximum(0.0, load - busy) if memory.double_buffered else load)
    return waiting
