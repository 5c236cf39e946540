"""Systolic array, rows R x cols C, with a vector unit beside it.

Convolutions run as GEMMs of M output pixels, N filters a group, K = reduction, one GEMM a group; their cycles are the
"rtl" forms of hwsim/machine/closed_form.py, plain or overlapped. `array.mapping` says what lies along the rows of a
weight- or input-stationary array: "im2col" all of a filter's window (K = FY FX C), "direct" the channels of one tap,
so that the tiles of a GEMM with K = C are run FY FX times. Output-stationary arrays stream the reduction; both are
the same there.

The mapper may leave part of the array idle: the best r <= R, c <= C is used, so that a larger array is never slower.
An array that packs several products of narrow operands into an element (`array.packed`) streams K / products words.
A depthwise layer is one GEMM of N = 1 a channel and collapses to one column, unless the specification gives depthwise
work to the vector unit.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.arch.vary import whole
from hwsim.cost.traffic import rereads
from hwsim.engines.base import Cycles, Floats, Ints, Layers, by_width
from hwsim.machine.closed_form import ceil_div, split_cycles

BROADCASTS = True
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


class _Costs(NamedTuple):
    """Cycles of one GEMM on every part r x c of the array that is worth trying; each (r, c)."""

    r: Ints
    c: Ints
    compute: Floats
    fill: Floats


def _costs(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float, passes: int
) -> _Costs:
    on_rows, on_cols = {"os": (M, N), "ws": (K, N), "is": (K, M)}[dataflow]
    r, c = _useful(on_rows, rows), _useful(on_cols, cols)
    convention = "rtl-overlapped" if overlap else "rtl"
    compute, fill = split_cycles(M, N, K, r[:, None], c[None, :], dataflow, convention, passes)
    shape = (len(r), len(c))
    return _Costs(r, c, np.broadcast_to(compute / sustained, shape), np.broadcast_to(fill, shape))


@lru_cache(maxsize=1 << 14)
def _best(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float, passes: int
) -> tuple[int, int, float, int]:
    """(r, c, compute / sustained, fill) of the best part of the array."""
    costs = _costs(M, N, K, rows, cols, dataflow, overlap, sustained, passes)
    i, j = divmod(int(np.argmin(costs.compute + costs.fill)), len(costs.c))
    return int(costs.r[i]), int(costs.c[j]), float(costs.compute[i, j]), int(costs.fill[i, j])


def best_shape(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float = 1.0, passes: int = 1
) -> tuple[int, int]:
    """(r, c): the part of the array on which a GEMM takes fewest cycles."""
    return _best(M, N, K, rows, cols, dataflow, overlap, sustained, passes)[:2]


def best_mapping(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float = 1.0, passes: int = 1
) -> tuple[float, int]:
    """(compute / sustained, fill) cycles of one GEMM on the best part of the array."""
    return _best(M, N, K, rows, cols, dataflow, overlap, sustained, passes)[2:]


def _running_best(total: Floats) -> tuple[Ints, Ints]:
    """For every (i, j): where the smallest of total[:i + 1, :j + 1] stands, the first where several are equal."""
    up_to = np.minimum.accumulate(total, axis=1)
    fresh = np.ones(total.shape, np.bool_)
    fresh[:, 1:] = total[:, 1:] < up_to[:, :-1]
    at_col = np.maximum.accumulate(np.where(fresh, np.arange(total.shape[1]), 0), axis=1)
    both = np.minimum.accumulate(up_to, axis=0)
    fresh = np.ones(total.shape, np.bool_)
    fresh[1:] = up_to[1:] < both[:-1]
    at_row = np.maximum.accumulate(np.where(fresh, np.arange(total.shape[0])[:, None], 0), axis=0)
    return at_row, at_col[at_row, np.arange(total.shape[1])]


def _best_at_points(
    gemm: tuple[int, int, int, int], rows: Ints, cols: Ints, sustained: Floats, dataflow: str, overlap: bool
) -> tuple[Floats, Floats]:
    """(compute / sustained, fill) on the best part of each of many arrays; equals `best_mapping` for every one."""
    M, N, K, passes = gemm
    compute, fill = np.empty(rows.shape), np.empty(rows.shape)
    for share in np.unique(sustained).tolist():
        here = sustained == share
        largest = int(rows[here].max()), int(cols[here].max())
        costs = _costs(M, N, K, *largest, dataflow, overlap, share, passes)
        at_row, at_col = _running_best(costs.compute + costs.fill)
        i = np.searchsorted(costs.r, rows[here], side="right") - 1
        j = np.searchsorted(costs.c, cols[here], side="right") - 1
        best = at_row[i, j], at_col[i, j]
        compute[here], fill[here] = costs.compute[best], costs.fill[best]
    return compute, fill


def _lanes(layers: Layers, arch: Arch) -> Any:
    """Products one element forms and adds in a cycle, by the widths of the layers; 1 unless the array packs them."""
    assert arch.array is not None
    return by_width(layers, {entry.precision: entry.products.value for entry in arch.array.packed}, 1.0)


def peak_macs_per_cycle(arch: Arch) -> Any:
    """Multiply-accumulates a cycle of the full array at its narrowest widths, or of a wider vector unit."""
    assert arch.array is not None
    vector = arch.vector
    side = vector.depthwise_macs_per_cycle if vector is not None and vector.depthwise else None
    most = reduce(np.maximum, (entry.products.value for entry in arch.array.packed), 1.0)
    return np.maximum(arch.array.rows.value * arch.array.cols.value * most, 0.0 if side is None else side.value)


def peaks(layers: Layers, arch: Arch) -> Any:
    """Multiply-accumulates a cycle of the full array at the widths of each layer."""
    assert arch.array is not None
    vector = arch.vector
    side = vector.depthwise_macs_per_cycle if vector is not None and vector.depthwise else None
    full = arch.array.rows.value * arch.array.cols.value * _lanes(layers, arch)
    return np.maximum(full, 0.0 if side is None else side.value)


def _on_array(layers: Layers, arch: Arch) -> tuple[Any, Any]:
    """(compute, fill) of the GEMMs of every layer, 0 for layers without any."""
    array, vector = arch.array, arch.vector
    assert array is not None
    beside = vector is not None and vector.depthwise
    on_it = np.isin(layers.kind, ON_ARRAY if beside else (*ON_ARRAY, "depthwise"))
    on_it &= np.minimum(np.minimum(layers.M, layers.N), layers.K) >= 1
    direct = array.mapping == "direct" and array.dataflow != "os"
    taps = layers.window if direct else np.ones(len(layers), np.int64)
    words = -(-(layers.K // np.maximum(taps, 1)) // _lanes(layers, arch).astype(np.int64))
    sustained: Any = 1.0 if array.sustained_pct is None else array.sustained_pct.value / 100
    sides = np.broadcast_arrays(whole(array.rows), whole(array.cols), sustained)
    many = sides[0].ndim > 0
    compute, fill = (np.zeros((*(sides[0].shape[:1]), len(layers))) for _ in range(2))
    gemms = zip(*(column.tolist() for column in (layers.M, layers.N, words, taps)), strict=True)
    places: dict[tuple[int, int, int, int], list[int]] = {}
    for index, (gemm, used) in enumerate(zip(gemms, on_it.tolist(), strict=True)):
        if used:
            places.setdefault(gemm, []).append(index)
    for gemm, where in places.items():
        if many:
            rows, cols, share = (side[:, 0] for side in sides)
            found = _best_at_points(gemm, rows, cols, share, array.dataflow, array.overlap)
            compute[:, where], fill[:, where] = (column[:, None] for column in found)
        else:
            shape = (whole(array.rows), whole(array.cols), array.dataflow, array.overlap, sustained)
            compute[where], fill[where] = best_mapping(*gemm[:3], *shape, gemm[3])
    return compute * layers.groups, fill * layers.groups


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer: GEMMs on the array, the rest `operations / lanes` on the vector unit.

    array: best_mapping / sustained     depthwise on the vector unit: macs / depthwise_macs_per_cycle
    vector: max(operations, inputs, outputs) / lanes
    concatenation, with `copied_per_cycle`: copied / copied_per_cycle, nothing at all where every input is in place
    overhead: once a layer; twice for a normalization that no convolution absorbs, a product and then a sum
    stall: see _stalls
    """
    vector = arch.vector
    compute, fill = _on_array(layers, arch)
    passes = np.where(layers.op == "BatchNormalization", 2, 1)
    if vector is not None:
        on_vector = ~np.isin(layers.kind, (*ON_ARRAY, "depthwise"))
        work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs)
        compute = np.where(on_vector, work / vector.lanes.value, compute)
        if vector.depthwise:
            rate = vector.depthwise_macs_per_cycle or vector.lanes
            compute = np.where(layers.kind == "depthwise", layers.macs / rate.value, compute)
        if vector.copied_per_cycle is not None:
            joins = layers.op == "Concatenate"
            compute = np.where(joins, layers.copied / vector.copied_per_cycle.value, compute)
            passes = np.where(joins & (layers.copied == 0), 0, passes)
    stall = _stalls(layers, arch, compute + fill)
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=fill, stall=stall, overhead=passes * overhead)


def _stalls(layers: Layers, arch: Arch, busy: Any) -> Any:
    """Cycles in which the array waits for its memories, never negative; each memory works beside the others.

    filling  = operands once / bandwidth
    reading  = operands as often as the tiles read them / (banks width_bits / 8 bytes a cycle)
    stall    = max(0, max over memories(reading, filling if double_buffered) - busy)
               + sum of the filling of memories with a single buffer, which the array cannot work beside
    """
    weights = layers.weight_bytes
    inputs, outputs = (column * layers.activation_bits / 8 for column in (layers.inputs, layers.outputs))
    again_w, again_x = rereads(layers, arch)
    beside: Any = np.zeros(len(layers))
    apart: Any = np.zeros(len(layers))
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
