"""One integer GEMM on a systolic array, bit by bit and edge by edge: `run(a, b, rows, cols, ...)`.

Cycles count clock edges from the first that samples reset released (the edge that leaves idle, counted as 1) to the
one that samples the last output, inclusive; operand fetch has no latency, tiles follow each other (conventions "rtl"
and "rtl-overlapped" of closed_form.py, with K in words). "is" is the weight-stationary array on the transposed
product: the inputs are held and the weights stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import PrecisionError, SpecError
from hwsim.machine import output_stationary, weight_stationary
from hwsim.machine.closed_form import DATAFLOWS, systolic_cycles
from hwsim.machine.element import NIBBLES, PRODUCT, XNOR

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Precision:
    """How operands sit in a word: mode of the element, bits of an operand, operands a word."""

    mode: int
    bits: int
    lanes: int

    @property
    def word_bits(self) -> int:
        return self.bits * self.lanes


PRECISIONS = {
    "int8": Precision(PRODUCT, 8, 1),
    "int4": Precision(PRODUCT, 4, 1),
    "2xint4": Precision(NIBBLES, 4, 2),
    "binary": Precision(XNOR, 1, 64),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What switched while the array ran.

    Registers are clock-gated: they change only with an operand of the GEMM, never in bubbles or padding.

    macs : products of the GEMM = M N K
    zero_macs : of these, products with an operand that is zero
    steps : word products; fewer than macs where a word holds several operands
    slots : processing elements x cycles
    a_toggles, b_toggles : bits that changed in the operand registers of the elements, a (M, K) and b (K, N)
    sum_toggles : bits that changed in the accumulators (os) or in the registers of the moving sums (ws, is)
    operand_bits, sum_bits : register widths of one element
    """

    macs: int
    zero_macs: int
    steps: int
    slots: int
    a_toggles: int
    b_toggles: int
    sum_toggles: int
    operand_bits: int
    sum_bits: int

    @property
    def utilization(self) -> float:
        """steps / slots, 0 to 1."""
        return self.steps / self.slots if self.slots else 0.0

    def __add__(self, other: Activity) -> Activity:
        summed = ("macs", "zero_macs", "steps", "slots", "a_toggles", "b_toggles", "sum_toggles")
        return Activity(
            **{name: getattr(self, name) + getattr(other, name) for name in summed},
            operand_bits=self.operand_bits,
            sum_bits=self.sum_bits,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What the array gave: sums (M, N) as int64, wrapped to the accumulator; counted cycles; activity."""

    output: Ints
    cycles: int
    activity: Activity


def words(a: Ints, b: Ints, precision: Precision, parts: int = 1, multiple: int = 1) -> tuple[Ints, Ints, Ints]:
    """Operands packed along K: a (M, W), b (W, N) and the number of operands in each word (W).

    parts : K is so many equal parts, each filled up with words of no operand to a multiple of `multiple` words
    """
    length, per = a.shape[1] // parts, precision.lanes
    used = -(-length // per)
    count = used if parts == 1 else -(-used // multiple) * multiple
    lanes = np.clip(length - np.arange(count) * per, 0, per)
    if per == 1 and parts == 1:
        return np.ascontiguousarray(a), np.ascontiguousarray(b), lanes

    def pack(rows: Ints) -> Ints:
        codes = rows if per == 1 else (rows > 0) if precision.mode == XNOR else rows & 0xF
        full = np.zeros((len(rows), parts, count * per), np.int64)
        full[:, :, :length] = codes.reshape(len(rows), parts, length)
        shifts = np.arange(per) * precision.bits
        return np.bitwise_or.reduce(full.reshape(len(rows), parts * count, per) << shifts, axis=2)

    return pack(a), np.ascontiguousarray(pack(np.ascontiguousarray(b.T)).T), np.tile(lanes, parts)


def _operand(name: str, value: Any, precision: str) -> Ints:
    array = np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "iu" or 0 in array.shape:
        raise SpecError(
            f"{name} is {array.dtype} of shape {array.shape}; give a matrix of integers, one row and column or more"
        )
    low, high = int(array.min()), int(array.max())
    if precision == "binary":
        if not np.isin(array, (-1, 1)).all():
            raise PrecisionError(f"{name} in [{low}, {high}] is not made of -1 and 1, which is all binary takes")
    else:
        limit = 1 << (PRECISIONS[precision].bits - 1)
        if low < -limit or high >= limit:
            raise PrecisionError(f"{name} in [{low}, {high}] leaves [{-limit}, {limit - 1}] of {precision} multipliers")
    return array.astype(np.int64)


def run(
    a: Any,
    b: Any,
    rows: int,
    cols: int,
    dataflow: str = "ws",
    overlap: bool = False,
    precision: str = "int8",
    sum_bits: int = 32,
    taps: int = 1,
) -> Run:
    """Step the array until a @ b is out.

    Parameters
    ----------
    a : integers (M, K); b : integers (K, N)
    rows, cols : int >= 1
    dataflow : "os", "ws", "is"
    overlap : shadow accumulators (os), prefetched weights or inputs (ws, is)
    precision : "int8", "int4", "2xint4" (two 4-bit products a clock in an 8-bit element), "binary" (64 signs a clock)
    sum_bits : 1 to 64; sums wrap in two's complement
    taps : direct mapping: K is so many equal parts, and a tile along the rows of "ws" and "is" holds words of one part

    Returns
    -------
    Run

    Raises
    ------
    SpecError         empty or mismatched matrices, a size below 1, an unknown dataflow
    PrecisionError    operands that the multipliers do not take, an unknown precision

    Examples
    --------
    >>> import numpy as np
    >>> run(np.ones((33, 65), int), np.ones((65, 17), int), 8, 8, "os").cycles
    1306
    """
    if precision not in PRECISIONS:
        raise PrecisionError(f"precision={precision!r} is not one of {', '.join(PRECISIONS)}")
    if dataflow not in DATAFLOWS:
        raise SpecError(f"dataflow={dataflow!r} is not one of {', '.join(DATAFLOWS)}")
    if taps < 1 or (np.shape(a)[-1:] and np.shape(a)[-1] % taps):
        raise SpecError(f"taps={taps} does not divide K={np.shape(a)[-1]}; give the number of equal parts of K")
    if not 1 <= sum_bits <= 64:
        raise SpecError(f"sum_bits={sum_bits} is outside 1..64; give the width of the accumulator")
    a, b = _operand("a", a, precision), _operand("b", b, precision)
    if a.shape[1] != b.shape[0]:
        raise SpecError(f"a {a.shape} and b {b.shape} do not share K; give (M, K) and (K, N)")
    systolic_cycles(len(a), b.shape[1], a.shape[1], rows, cols, dataflow)  # refuses sizes no array has
    form = PRECISIONS[precision]
    if dataflow == "is":
        a, b = np.ascontiguousarray(b.T), np.ascontiguousarray(a.T)
    left, right, lanes = words(a, b, form, 1 if dataflow == "os" else taps, int(rows))
    out = np.zeros((len(left), right.shape[1]), np.int64)
    counts = np.zeros(output_stationary.COUNTERS, np.int64)
    kernel = output_stationary.step if dataflow == "os" else weight_stationary.step
    word_mask, sum_mask = (-1 if bits == 64 else (1 << bits) - 1 for bits in (form.word_bits, sum_bits))
    kernel(left, right, lanes, int(rows), int(cols), form.mode, bool(overlap), word_mask, sum_mask, out, counts)
    toggles = [int(counts[output_stationary.TOGGLES_A]), int(counts[output_stationary.TOGGLES_B])]
    if dataflow == "is":
        out = np.ascontiguousarray(out.T)
        toggles.reverse()
    if sum_bits < 64:
        half = 1 << (sum_bits - 1)
        out = ((out + half) & sum_mask) - half
    cycles = int(counts[output_stationary.CYCLES])
    return Run(
        output=out,
        cycles=cycles,
        activity=Activity(
            macs=int(counts[output_stationary.PRODUCTS]),
            zero_macs=int(counts[output_stationary.ZEROS]),
            steps=int(counts[output_stationary.STEPS]),
            slots=cycles * int(rows) * int(cols),
            a_toggles=toggles[0],
            b_toggles=toggles[1],
            sum_toggles=int(counts[output_stationary.TOGGLES_SUM]),
            operand_bits=form.word_bits,
            sum_bits=sum_bits,
        ),
    )
