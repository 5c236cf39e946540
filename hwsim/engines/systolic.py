"""Systolic array, rows R x cols C, with a vector unit beside it.

Convolutions run as GEMMs (im2col addressing): M = output pixels, N = filters a group, K = reduction, one GEMM a group.
Tiles t and cycles of the plain arrays, ragged tiles paying for full ones ("rtl", counted from reset to last output):

    os  t = ceil(M/R) ceil(N/C)    plain 1 + t (2R + C + K - 2)    overlapped 1 + (t-1) max(K, 2R-1) + K + 2R + C - 2
    ws  t = ceil(K/R) ceil(N/C)    plain 1 + t (2R + C + M - 1)    overlapped 1 + R + (t-1) max(M, R) + M + R + C - 1
    is  as ws with M and N exchanged: the inputs stay, the filters stream

"scalesim" counts t (K+R+C-2) - 1 (os), t (M+2R+C-2) - 1 (ws), and for is t = ceil(K/R) ceil(M/C), t (N+2R+C-2) - 1.
The mapper may leave part of the array idle: the best r <= R, c <= C is used, so that a larger array is never slower.
A depthwise layer is one GEMM of N = 1 a channel and collapses to one column, unless the specification gives depthwise
work to the vector unit.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.engines.base import Cycles, Floats, Ints, Layers
from hwsim.errors import SpecError

Dataflow = Literal["os", "ws", "is"]
ON_ARRAY = ("mac", "matmul")


def _ceil(a: Any, b: Any) -> Any:
    return -(-a // b)


def systolic_cycles(
    M: Any,
    N: Any,
    K: Any,
    rows: Any,
    cols: Any,
    dataflow: str,
    convention: str = "rtl",
    overlap: bool = False,
) -> Any:
    """Cycles of one GEMM on a whole rows x cols array; the formulas stand at the top of this module.

    Parameters
    ----------
    M, N, K : int or integer array    output pixels, filters, reduction; broadcast against rows and cols
    rows, cols : int or integer array
    dataflow : "os", "ws", "is"
    convention : "scalesim" or "rtl"
    overlap : rtl only; shadow accumulators (os), prefetched weights (ws, is)

    Raises
    ------
    SpecError    unknown dataflow or convention, a size below 1, overlap under "scalesim"

    Examples
    --------
    >>> systolic_cycles(33, 17, 65, 8, 8, "os", convention="rtl")
    1306
    """
    scalar = all(np.ndim(value) == 0 for value in (M, N, K, rows, cols))
    M, N, K, R, C = (np.asarray(value) for value in (M, N, K, rows, cols))
    for name, value in zip(("M", "N", "K", "rows", "cols"), (M, N, K, R, C), strict=True):
        if value.dtype.kind not in "iu" or (value.size and value.min() < 1):
            raise SpecError(f"{name}={value} must be whole numbers of at least 1")
    M, N, K, R, C = (value.astype(np.int64) for value in (M, N, K, R, C))
    if dataflow not in ("os", "ws", "is"):
        raise SpecError(f"dataflow={dataflow!r} is not one of os, ws, is")
    if convention not in ("scalesim", "rtl"):
        raise SpecError(f"convention={convention!r} is not one of scalesim, rtl")
    if convention == "scalesim":
        if overlap:
            raise SpecError("overlap=True has no 'scalesim' form; use convention='rtl'")
        stay_r, stay_c, stream = {"os": (M, N, K), "ws": (K, N, M), "is": (K, M, N)}[dataflow]
        gaps = R + C - 2 if dataflow == "os" else 2 * R + C - 2
        total = _ceil(stay_r, R) * _ceil(stay_c, C) * (stream + gaps) - 1
    else:
        compute, fill = _rtl(M, N, K, R, C, dataflow, overlap)
        total = compute + fill
    return int(total) if scalar else total


def _rtl(M: Any, N: Any, K: Any, R: Any, C: Any, dataflow: str, overlap: bool) -> tuple[Any, Any]:
    """(cycles in which operands stream, the rest) of the "rtl" convention."""
    if dataflow == "os":
        tiles = _ceil(M, R) * _ceil(N, C)
        if overlap:
            return tiles * K, 1 + (tiles - 1) * (np.maximum(K, 2 * R - 1) - K) + 2 * R + C - 2
        return tiles * K, 1 + tiles * (2 * R + C - 2)
    if dataflow == "is":
        M, N = N, M
    tiles = _ceil(K, R) * _ceil(N, C)
    if overlap:
        return tiles * M, 1 + R + (tiles - 1) * (np.maximum(M, R) - M) + R + C - 1
    return tiles * M, 1 + tiles * (2 * R + C - 1)


def _useful(extent: int, limit: int) -> Ints:
    """The sizes worth trying for one side of the array: the smallest that gives each number of tiles."""
    tiles = np.arange(1, extent + 1, dtype=np.int64)
    if extent > limit:
        tiles = np.union1d(np.unique(_ceil(extent, np.arange(1, limit + 1, dtype=np.int64))), _ceil(extent, limit))
    sizes = np.unique(_ceil(extent, tiles))
    return sizes[sizes <= limit]


def best_mapping(
    M: int, N: int, K: int, rows: int, cols: int, dataflow: str, overlap: bool, sustained: float = 1.0
) -> tuple[float, int]:
    """(compute / sustained, fill) cycles of one GEMM on the best part of the array."""
    on_rows, on_cols = {"os": (M, N), "ws": (K, N), "is": (K, M)}[dataflow]
    r, c = _useful(on_rows, rows)[:, None], _useful(on_cols, cols)[None, :]
    compute, fill = np.broadcast_arrays(*_rtl(M, N, K, r, c, dataflow, overlap))
    best = np.unravel_index(np.argmin(compute / sustained + fill), compute.shape)
    return float(compute[best]) / sustained, int(fill[best])


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
    stall: max(0, bytes / on-chip bandwidth - cycles so far), weights and activations on their own ports
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
            streaming, rest = best_mapping(m, n, k, rows, cols, array.dataflow, array.overlap, sustained)
            compute[index] = streaming * int(layers.groups[index])
            fill[index] = rest * int(layers.groups[index])
    if vector is not None:
        on_vector = ~np.isin(layers.kind, (*ON_ARRAY, "depthwise"))
        work = np.maximum(np.maximum(layers.operations, layers.inputs), layers.outputs)
        compute = np.where(on_vector, work / vector.lanes.value, compute)
        if beside:
            rate = vector.depthwise_macs_per_cycle or vector.lanes
            compute = np.where(layers.kind == "depthwise", layers.macs / rate.value, compute)
    stall = np.maximum(0.0, _memory_cycles(layers, arch) - compute - fill)
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=fill, stall=stall, overhead=np.full(count, overhead))


def _memory_cycles(layers: Layers, arch: Arch) -> Floats:
    """Cycles the busiest on-chip memory needs for the operands of each layer."""
    needed = np.zeros(len(layers))
    moved = (layers.inputs + layers.outputs) * layers.activation_bits / 8
    for memory in arch.memory:
        if memory.bandwidth_mb_per_s is not None:
            parts = {"weights": layers.weight_bytes, "activations": moved, "both": layers.weight_bytes + moved}
            needed = np.maximum(needed, parts[memory.holds] * arch.clock_mhz.value / memory.bandwidth_mb_per_s.value)
    return needed
