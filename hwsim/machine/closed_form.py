"""Cycles, mapping efficiency and utilization of one GEMM on a rows R x cols C systolic array, in closed form.

M = output pixels, N = filters, K = reduction. What stays in the array gives the tiles ("folds"), what streams the
length:

    os  t = ceil(M/R) ceil(N/C)  streams K        ws  t = ceil(K/R) ceil(N/C)  streams M
    is  t = ceil(K/R) ceil(M/C)  streams N        (ws of the transposed product: M and N change places)

Ragged tiles pay for full ones. The conventions differ in what is counted:

    scalesim        t (K+R+C-2) - 1 (os)    t (M+2R+C-2) - 1 (ws)    t (N+2R+C-2) - 1 (is)
                    SCALE-Sim 3.0.0's "Total Cycles": every tile fills and drains, the last cycle's index
    scalesim-paper  one more: the number of cycles instead of the index of the last
    rtl             1 + t (2R+C+K-2) (os)   1 + t (2R+C+M-1) (ws)    1 + t (2R+C+N-1) (is)
                    clock edges from the first out of reset to the one that samples the last output
    rtl-overlapped  1 + (t-1) max(K, 2R-1) + K + 2R + C - 2 (os: shadow accumulators)
                    1 + R + (t-1) max(M, R) + M + R + C - 1 (ws: prefetched weights; is: with N for M)

The rtl forms of os and ws were counted on simulated Verilog; those of is follow from the transposition, and
hwsim.machine steps all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import SpecError

Ints = NDArray[np.int64]

DATAFLOWS = ("os", "ws", "is")
CONVENTIONS = ("scalesim", "scalesim-paper", "rtl", "rtl-overlapped")
_LARGEST_SIZE = 1 << 31


def ceil_div(a: Any, b: Any) -> Any:
    """Smallest whole number of at least a / b."""
    return -(-a // b)


def _whole(**given: Any) -> tuple[bool, list[Ints]]:
    """Whether all are scalars, and the values as broadcast int64 arrays."""
    arrays: list[Ints] = []
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or (array.size and array.min() < 1):
            raise SpecError(f"{name}={value!r:.60} must be whole numbers of at least 1")
        if array.size and array.max() > _LARGEST_SIZE:
            raise SpecError(f"{name}={value!r:.60} is above {_LARGEST_SIZE}; no array or layer is that large")
        arrays.append(array.astype(np.int64))
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(given, arrays, strict=True))
        raise SpecError(f"shapes {shapes} do not broadcast; give scalars or arrays of one shape") from error
    return all(array.ndim == 0 for array in arrays), arrays


def _roles(M: Any, N: Any, K: Any, dataflow: str) -> tuple[Any, Any, Any]:
    """(along the rows, along the columns, streamed)."""
    if dataflow not in DATAFLOWS:
        raise SpecError(f"dataflow={dataflow!r} is not one of {', '.join(DATAFLOWS)}")
    return {"os": (M, N, K), "ws": (K, N, M), "is": (K, M, N)}[dataflow]


def split_cycles(
    M: Any, N: Any, K: Any, rows: Any, cols: Any, dataflow: str, convention: str, passes: Any = 1
) -> tuple[Any, Any]:
    """(cycles in which operands stream, fill and drain); their sum is `systolic_cycles`. Arguments are not checked.

    passes : how often the tiles of the GEMM are run, one after the other
    """
    on_rows, on_cols, stream = _roles(M, N, K, dataflow)
    R, C = rows, cols
    t = passes * ceil_div(on_rows, R) * ceil_div(on_cols, C)
    if convention in ("scalesim", "scalesim-paper"):
        gaps = t * (R + C - 2 if dataflow == "os" else 2 * R + C - 2)
        # The index of the last cycle is one below their number; on 1 x 1 there is no gap to take it from.
        return t * stream, gaps - (convention == "scalesim")
    if convention == "rtl":
        return t * stream, 1 + t * (2 * R + C - (2 if dataflow == "os" else 1))
    least = 2 * R - 1 if dataflow == "os" else R
    waits = (t - 1) * (np.maximum(stream, least) - stream)
    return t * stream, 1 + waits + 2 * R + C - (2 if dataflow == "os" else 1)


def systolic_cycles(
    M: Any,
    N: Any,
    K: Any,
    rows: Any,
    cols: Any,
    dataflow: str,
    convention: str = "scalesim",
    overlap: bool = False,
) -> Any:
    """Cycles of one GEMM on a whole rows x cols array; the formulas stand at the top of this module.

    Parameters
    ----------
    M, N, K : int or integer array >= 1    output pixels, filters, reduction; broadcast against rows and cols
    rows, cols : int or integer array >= 1
    dataflow : "os", "ws", "is"
    convention : "scalesim", "scalesim-paper", "rtl", "rtl-overlapped"
    overlap : bool    True with "rtl" means "rtl-overlapped"

    Returns
    -------
    int for scalars, else an int64 array of the broadcast shape

    Raises
    ------
    SpecError    unknown dataflow or convention, a size below 1 or absurdly large, overlap under a scalesim convention

    Examples
    --------
    >>> systolic_cycles(33, 17, 65, 8, 8, "os", convention="rtl")
    1306
    """
    scalar, (M, N, K, R, C) = _whole(M=M, N=N, K=K, rows=rows, cols=cols)
    if convention not in CONVENTIONS:
        raise SpecError(f"convention={convention!r} is not one of {', '.join(CONVENTIONS)}")
    if overlap and not convention.startswith("rtl"):
        raise SpecError(f"overlap=True has no {convention!r} form; use convention='rtl-overlapped'")
    streaming, rest = split_cycles(M, N, K, R, C, dataflow, "rtl-overlapped" if overlap else convention)
    total = streaming + rest
    return int(total) if scalar else total


def mapping_efficiency(M: Any, N: Any, K: Any, rows: Any, cols: Any, dataflow: str) -> Any:
    """Share of the processing elements that hold work, mean over the tiles, 0 to 1.

    (along rows) (along cols) / (t R C): SCALE-Sim's "Mapping Efficiency %" / 100. Arguments as `systolic_cycles`.
    """
    scalar, (M, N, K, R, C) = _whole(M=M, N=N, K=K, rows=rows, cols=cols)
    on_rows, on_cols, _ = _roles(M, N, K, dataflow)
    share = (on_rows / (ceil_div(on_rows, R) * R)) * (on_cols / (ceil_div(on_cols, C) * C))
    return float(share) if scalar else share


def systolic_utilization(
    M: Any, N: Any, K: Any, rows: Any, cols: Any, dataflow: str, convention: str = "scalesim", overlap: bool = False
) -> Any:
    """M N K / (cycles R C): SCALE-Sim's "Overall Util %" / 100 in its convention. Arguments as `systolic_cycles`.

    Notes
    -----
    SCALE-Sim counts one cycle too few, so that a 1 x 1 array reads above 1; a GEMM of 0 cycles has no value (nan).
    """
    total = systolic_cycles(M, N, K, rows, cols, dataflow, convention, overlap)
    _, (M, N, K, R, C) = _whole(M=M, N=N, K=K, rows=rows, cols=cols)
    work = M.astype(np.float64) * N * K
    possible = np.asarray(total, np.float64) * R * C
    share = np.divide(
        work, possible, out=np.full(np.broadcast_shapes(work.shape, possible.shape), np.nan), where=possible > 0
    )
    return float(share) if share.ndim == 0 else share


def scalesim_gemm(
    height: int, width: int, filter_height: int, filter_width: int, channels: int, filters: int, stride: int = 1
) -> tuple[int, int, int]:
    """(M, N, K) of a convolution as SCALE-Sim sees it: no padding, and a last partial step of the window counts.

    M = ceil((H - FH + S) / S) ceil((W - FW + S) / S)        N = filters        K = FH FW channels

    Notes
    -----
    Frameworks round the output sizes down (floor((H - FH) / S) + 1); SCALE-Sim 3.0.0 rounds up.

    Raises
    ------
    SpecError    a size below 1, a filter larger than the (already padded) input

    Examples
    --------
    >>> scalesim_gemm(8, 8, 3, 3, 16, 32, stride=2)
    (16, 32, 144)
    """
    sizes = {"height": height, "width": width, "filter_height": filter_height, "filter_width": filter_width}
    _whole(**sizes, channels=channels, filters=filters, stride=stride)
    if filter_height > height or filter_width > width:
        raise SpecError(
            f"filter {filter_height}x{filter_width} is larger than the input {height}x{width}; give padded input sizes"
        )
    out = ceil_div(height - filter_height + stride, stride) * ceil_div(width - filter_width + stride, stride)
    return out, filters, filter_height * filter_width * channels
