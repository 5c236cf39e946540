"""Systolic array, rows R x cols C, with a vector unit beside it.

Convolutions run as GEMMs of M output pixels, N filters a group, K = reduction, one GEMM a group; their cycles are the
"rtl" forms of hwsim/machine/closed_form.py, plain or overlapped. `array.mapping` says what lies along the rows of a
weight- or input-stationary array: "im2col" all of a filter's window (K = FY FX C), "direct" the channels of one tap,
so that the tiles of a GEMM with K = C are run FY FX times. Output-stationary arrays stream the reduction; both are
the same there.

The mapper may leave part of the array idle: the best r <= R, c <= C is used, so that a larger array is never slower.
A depthwise layer is one GEMM of N = 1 a channel and collapses to one column, unless the specification gives depthwise
work to the vector unit.
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import rereads
from hwsim.engines.base import Cycles, Floats, Ints, Layers
from hwsim.machine.closed_form import ceil_div, split_cycles

ON_ARRAY = ("mac", "matmul")


def _useful(extent: int, limit: int) -> Ints:
    """The sizes worth trying for one side of the array: the smallest that gives each number of tiles."""
    tiles = np.arange(1, extent + 1, dtype=np.int64)
    if extent > limit:
        tiles = np.union1d(
            np.unique(ceil_div(extent, np.arange(1, limit + 1, dtype=np.int64))), ceil_div(extent, limit)
        )
    sizes = np.unique(ceil_div(extent, tiles))
    return sizes[sizes <= limit]


def _best(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float, passes: int
) -> tuple[int, int, float, int]:
    """(r, c, compute / sustained, fill) of the best part of the array."""
    on_rows, on_cols = {"os": (M, N), "ws": (K, N), "is": (K, M)}[dataflow]
    r, c = _useful(on_rows, rows)[:, None], _useful(on_cols, cols)[None, :]
    compute, fill = np.broadcast_arrays(
        *split_cycles(M, N, K, r, c, dataflow, "rtl-overlapped" if overlap else "rtl", passes)
    )
    best = np.unravel_index(np.argmin(compute / sustained + fill), compute.shape)
    return int(r[best[0], 0]), int(c[0, best[1]]), float(compute[best]) / sustained, int(fill[best])


def best_shape(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float = 1.0
) -> tuple[int, int]:
    """(r, c): the part of the array on which a GEMM takes fewest cycles."""
    return _best(M, N, K, rows, cols, dataflow, overlap, sustained, 1)[:2]


def best_mapping(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float = 1.0, passes: int = 1
) -> tuple[float, int]:
    """(compute / sustained, fill) cycles of one GEMM on the best part of the array."""
    return _best(M, N, K, rows, cols, dataflow, overlap, sustained, passes)[2:]


def peak_macs_per_cycle(arch: Arch) -> float:
    """Multiply-accumulates a cycle of the full array, or of the vector unit where that is wider."""
    assert arch.array is not None
    vector = arch.vector
    side = vector.depthwise_macs_per_cycle if vector is not None and vector.depthwise else None
    return max(arch.array.rows.value * arch.array.cols.value, 0.0 if side is None else side.value)


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer: GEMMs on the array, the rest `operations / lanes` on the vector unit.

    array: best_mapping / sustained     depthwise on the vector unit: macs / depthwise_macs_per_cycle
    vector: max(operations, inputs, outputs) / lanes
    stall: see _stalls
    """
    array, vector = arch.array, arch.vector
    assert array is not None
    count = len(layers)
    compute, fill = np.zeros(count), np.zeros(count)
    sustained = 1.0 if array.sustained_pct is None else array.sustained_pct.value / 100
    rows, cols = int(array.rows.value), int(array.cols.value)
    beside = vector is not None and vector.depthwise
    for index, kind in enumerate(layers.kind):
        if kind in ON_ARRAY or (kind == "depthwise" and not beside):
            m, n, k = (int(column[index]) for column in (layers.M, layers.N, layers.K))
            if min(m, n, k) < 1:
                continue
            taps = int(layers.window[index]) if array.mapping == "direct" and array.dataflow != "os" else 1
            streaming, rest = best_mapping(m, n, k // taps, rows, cols, array.dataflow, array.overlap, sustained, taps)
            compute[index] = streaming * int(layers.groups[index])
            fill[index] = rest * int(layers.groups[index])
    if vector is not None:
        on_vector = ~np.isin(layers.kind, (*ON_ARRAY, "depthwise"))
        work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs)
        compute = np.where(on_vector, work / vector.lanes.value, compute)
        if beside:
            rate = vector.depthwise_macs_per_cycle or vector.lanes
            compute = np.where(layers.kind == "depthwise", layers.macs / rate.value, compute)
    stall = _stalls(layers, arch, compute + fill)
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=fill, stall=stall, overhead=np.full(count, overhead))


def _stalls(layers: Layers, arch: Arch, busy: Floats) -> Floats:
    """Cycles in which the array waits for its memories, never negative; each memory works beside the others.

    filling  = operands once / bandwidth
    reading  = operands as often as the tiles read them / (banks width_bits / 8 bytes a cycle)
    stall    = max(0, max over memories(reading, filling if double_buffered) - busy)
               + sum of the filling of memories with a single buffer, which the array cannot work beside
    """
    weights = layers.weight_bytes
    inputs, outputs = (column * layers.activation_bits / 8 for column in (layers.inputs, layers.outputs))
    again_w, again_x = rereads(layers, arch)
    beside, apart = np.zeros(len(layers)), np.zeros(len(layers))
    for memory in arch.memory:
        if memory.bandwidth_mb_per_s is not None:
            moved = inputs + outputs
            parts = {"weights": weights, "activations": moved, "both": weights + moved}
            filling = parts[memory.holds] * arch.clock_mhz.value / memory.bandwidth_mb_per_s.value
            if memory.double_buffered:
                beside = np.maximum(beside, filling)
            else:
                apart = apart + filling
        if memory.banks is not None and memory.width_bits is not None:
            moved = inputs * again_x + outputs
            parts = {"weights": weights * again_w, "activations": moved, "both": weights * again_w + moved}
            beside = np.maximum(beside, parts[memory.holds] * 8 / (memory.banks.value * memory.width_bits.value))
    return np.maximum(0.0, beside - busy) + apart
