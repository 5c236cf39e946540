"""Subjects: what laws are about. Plain functions, and what they declare about themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.graph import QParams
from refq.numerics.rounding import RoundingMode

Array = NDArray[Any]
Nan = Literal["zero", "raises", "unspecified"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantizer:
    """A quantizer of single numbers: two functions of arrays, and what they declare.

    Use `Quantizer.uniform` or `Quantizer.levels`, which fill in most of it.

    Parameters
    ----------
    name : str
    quantize : reals -> integer codes; with rounding "stochastic", (reals, numpy Generator) -> codes
    dequantize : integer codes -> reals
    codes : every legal code, ascending
    grid : QParams of a uniform quantizer, one scale for the tensor; None for any other
    rounding : rounding mode of a uniform quantizer; None where nearest is promised and the tie rule is not
    nearest : a code names the nearest level, whatever happens on ties
    recovers : dequantized codes quantize to themselves
    monotone : larger reals never get smaller levels
    mirrored : the grid is its own mirror image, and so is the quantizer off the ties
    nan : what NaN does: quantized as 0, refused with an exception, or unspecified
    rescaled : c -> the same quantizer with every level c times as large
    shifted : d -> the same uniform quantizer with the zero point, and nothing else, larger by d
    """

    name: str
    quantize: Callable[..., Array]
    dequantize: Callable[[Array], Array]
    codes: Array
    grid: QParams | None = None
    rounding: RoundingMode | None = None
    nearest: bool = True
    recovers: bool = True
    monotone: bool = True
    mirrored: bool = False
    nan: Nan = "unspecified"
    rescaled: Callable[[float], Quantizer] | None = None
    shifted: Callable[[int], Quantizer] | None = None

    @classmethod
    def uniform(
        cls,
        quantize: Callable[..., Array],
        dequantize: Callable[[Array], Array],
        grid: QParams,
        rounding: RoundingMode | None = None,
        **declared: Any,
    ) -> Quantizer:
        """real = scale * (code - zero_point), codes qmin..qmax of `grid`, one scale.

        Raises
        ------
        RangeError    a grid with more than one scale: its laws are those of a `BlockQuantizer`
        """
        if grid.scale.ndim:
            raise RangeError(f"a grid of {grid.scale.size} scales is a BlockQuantizer; a Quantizer has one scale")
        codes = np.arange(grid.qmin, grid.qmax + 1)
        wide = (codes - int(grid.zero_point)) * np.float64(grid.scale)
        nearest = rounding in (None, "half_even", "half_away", "half_up")
        values = {
            "name": f"uniform {grid.bits} bits",
            "codes": codes,
            "nearest": nearest,
            "recovers": nearest or bool(np.all(wide.astype(np.float32) == wide)),
            "mirrored": grid.is_symmetric and grid.qmin == -grid.qmax,
        }
        return cls(quantize=quantize, dequantize=dequantize, grid=grid, rounding=rounding, **{**values, **declared})

    @classmethod
    def levels(
        cls, quantize: Callable[..., Array], dequantize: Callable[[Array], Array], count: int, **declared: Any
    ) -> Quantizer:
        """Codes 0 .. count - 1 for any levels, which `dequantize` tells."""
        values = {"name": f"{count} levels", "codes": np.arange(count)}
        return cls(quantize=quantize, dequantize=dequantize, **{**values, **declared})

    @cached_property
    def reals(self) -> Array:
        """The level of every code, float32 numbers held as float64."""
        return self.level(self.codes).astype(np.float64)

    @cached_property
    def ladder(self) -> Array:
        """The levels, ascending, each once."""
        return np.unique(self.reals)

    @property
    def is_stochastic(self) -> bool:
        """Whether quantize takes a generator."""
        return self.rounding == "stochastic"

    @property
    def scale(self) -> np.float32:
        """Of a uniform quantizer."""
        if self.grid is None:
            raise RangeError(f"{self.name} is not uniform and has no scale")
        return np.float32(self.grid.scale)

    def fake(self, x: Array) -> Array:
        """dequantize(quantize(x)), float32."""
        return self.level(self.quantize(x))

    def level(self, codes: Array) -> Array:
        """dequantize(codes), float32."""
        return np.asarray(self.dequantize(codes), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockQuantizer:
    """A quantizer whose parameters belong to parts of a tensor: channels, groups, blocks.

    Parameters
    ----------
    name : str
    quantize, dequantize : as of `Quantizer`
    shape : tensors it takes
    parts : index of a part (tuple of slices) and the quantizer of that part alone
    permuted : (axis, order) -> the same quantizer for a tensor whose indices along `axis` were permuted, or None
    axis : the axis along which `permuted` may permute
    """

    name: str
    quantize: Callable[..., Array]
    dequantize: Callable[[Array], Array]
    shape: tuple[int, ...]
    parts: Sequence[tuple[tuple[slice, ...], Quantizer]]
    permuted: Callable[[Array], BlockQuantizer] | None = None
    axis: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorQuantizer:
    """A quantizer of vectors by codebooks.

    Parameters
    ----------
    name : str
    encode : reals (points, dims) -> codes (points, subspaces * stages), the stages of a subspace side by side
    decode : codes -> reals
    counts : codewords of every column of codes
    dims : dimensions of a vector
    stages : codewords that are added up; a later one stands for what the ones before leave over
    partial : (codes, n) -> reals (points, subspaces, width), the sums of the first n stages; the places behind the last
        dimension are padding, where data is 0. None where only the whole is known
    nearest : a code names the nearest vector of all
    recovers : a vector of codewords is encoded as itself
    """

    name: str
    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    counts: tuple[int, ...]
    dims: int
    stages: int = 1
    partial: Callable[[Array, int], Array] | None = None
    nearest: bool = True
    recovers: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizeFunction:
    """A requantizer: apply(acc, m, s) ~ acc * m * 2**(s - 31), rounded by `rule`.

    Parameters
    ----------
    apply : (int64 array, int m, int s) -> integer array, before zero point and clamp
    rule : double, single, single_away, int64, dyadic, pow2 or float32_half_even; see `refq.numerics.requantize`
    bits : width of the accumulator
    shifts : lowest and highest s
    """

    apply: Callable[[Array, int, int], Array]
    rule: str
    name: str = "requantizer"
    bits: int = 32
    shifts: tuple[int, int] = (-31, 15)


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputStage:
    """A requantizer with zero point and clamp: apply(acc, m, s, zero_point, qmin, qmax) -> codes; see above."""

    apply: Callable[[Array, int, int, int, int, int], Array]
    rule: str
    name: str = "output stage"
    shifts: tuple[int, int] = (-31, 15)


@dataclass(frozen=True, kw_only=True, eq=False)
class MultiplierRule:
    """How a real factor becomes (m, s): split(real) -> (m, s) with m in [2**30, 2**31), for reals from 2**-32 on."""

    split: Callable[[float], tuple[int, int]]
    name: str = "multiplier"


@dataclass(frozen=True, kw_only=True, eq=False)
class Register:
    """An accumulator: add_up(start, terms) -> what the register holds after each term was added in turn.

    Parameters
    ----------
    add_up : (int, list of int) -> int
    bits : width
    overflow : wrap or saturate
    overflows : (int, list of int) -> how often a sum left the register, or None where nobody counts
    """

    add_up: Callable[[int, list[int]], int]
    bits: int
    overflow: Literal["wrap", "saturate"]
    name: str = "register"
    overflows: Callable[[int, list[int]], int] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Matmul:
    """An integer matrix product: multiply(a, b), a (M, K), b (K, N) -> (M, N), before requantization.

    Parameters
    ----------
    a, b : lowest and highest code of the operands
    bits : width of the sums, which wrap
    """

    multiply: Callable[[Array, Array], Array]
    a: tuple[int, int] = (-128, 127)
    b: tuple[int, int] = (-128, 127)
    bits: int = 32
    name: str = "matmul"


@dataclass(frozen=True, kw_only=True, eq=False)
class Packing:
    """Codes in words or in text: unpack(pack(codes), count) == codes.

    Parameters
    ----------
    pack : integer codes, shape (count,) -> anything
    unpack : (that, count) -> codes
    bits, signed : of a code; binary=True means the codes -1 and +1
    """

    pack: Callable[[Array], Any]
    unpack: Callable[[Any, int], Array]
    bits: int
    signed: bool = True
    binary: bool = False
    name: str = "packing"


@dataclass(frozen=True, kw_only=True, eq=False)
class BinaryDot:
    """A product of vectors of -1 and +1: dot(a, b) -> int, as 2 * popcount(xnor) - n."""

    dot: Callable[[Array, Array], int]
    name: str = "binary dot"
    word_bits: int = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class NibbleMultiplier:
    """multiply(x, y) of nibbles as hardware feeds them: the high one signed, -8..7, the low one unsigned, 0..15."""

    multiply: Callable[[Array, Array], Array]
    name: str = "nibble multiplier"


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeTable:
    """A function as a table of codes.

    Parameters
    ----------
    table : one output code for every input code, lowest input code first
    direct : input code -> output code, the evaluation the table stands for
    lowest : lowest input code
    increasing : True, False for a falling function, None for neither
    """

    table: Array
    direct: Callable[[int], int]
    lowest: int = -128
    increasing: bool | None = None
    name: str = "table"


@dataclass(frozen=True, kw_only=True, eq=False)
class RangeObserver:
    """observe(seen, batch) -> what has been seen, `seen` None at first; interval(seen) -> (low, high).

    covers : no value may lie outside the interval (min/max); False for ranges that clip on purpose
    within : the interval reaches no farther than the values seen, and 0
    scales : the interval of c times the values is c times the interval
    ordered : batches have an order (moving averages): neither merging nor another order gives the same
    merge : two of what has been seen -> one, or None where observers do not merge
    """

    observe: Callable[[Any, Array], Any]
    interval: Callable[[Any], tuple[float, float]]
    covers: bool = True
    within: bool = False
    scales: bool = False
    ordered: bool = False
    merge: Callable[[Any, Any], Any] | None = None
    name: str = "observer"
