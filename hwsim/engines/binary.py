"""Binary engine: products of one-bit weights, formed for a whole window and many channels a cycle.

    cycles = pixels G ceil(K / filters) ceil(C / channels) ceil(FY / side) ceil(FX / side)       of the best window mode
    fill   = pixels G ceil(K / reload_filters) ceil(C / channels) window steps    where inputs are loaded on their own

A mode works on side x side windows, `channels` input channels and `filters` filters at once; smaller windows leave part
of it idle, larger ones take several steps. Layers without products pass the vector unit, `lanes` elements a cycle.
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
    b = arch.binary
    assert b is not None
    return b.channels.value * reduce(np.maximum, (w.side.value**2 * w.filters.value for w in b.windows))


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    b = arch.binary
    assert b is not None
    on_array = np.isin(layers.kind, ON_ARRAY)
    pixels = layers.M * layers.groups
    depth = -(-(layers.K // np.maximum(layers.window, 1)) // whole(b.channels))
    best: Any = np.inf
    compute: Any = np.zeros(len(layers))
    fill: Any = np.zeros(len(layers))
    for window in b.windows:
        side = whole(window.side)
        steps = depth * -(-layers.FY // side) * -(-layers.FX // side)
        streaming = pixels * steps * -(-layers.N // whole(window.filters))
        loading: Any = np.zeros(len(layers))
        if b.reload_filters is not None:
            loading = pixels * steps * -(-layers.N // whole(b.reload_filters))
        better = streaming + loading < best
        best = np.where(better, streaming + loading, best)
        compute, fill = np.where(better, streaming, compute), np.where(better, loading, fill)
    lanes = 1.0 if arch.vector is None else arch.vector.lanes.value
    work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs) / lanes
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    zero = np.zeros(len(layers))
    return Cycles(
        compute=np.where(on_array, compute, work),
        fill=np.where(on_array, fill, 0.0),
        stall=zero,
        overhead=zero + overhead,
    )
