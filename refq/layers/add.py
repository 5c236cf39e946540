"""Add: elementwise sum with broadcasting."""

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.graph import QParams
from refq.layers.base import Array, unbroadcast
from refq.layers.binary import Binary
from refq.layers.registry import layer
from refq.numerics import Arithmetic, rounding_divide_by_power_of_two

_NEAR = 1e-3  # LiteRT `CheckedLog2`: how far log2 of a scale may be from an integer


def common_scale(grids: Sequence[QParams], out: QParams) -> tuple[int, list[float], float]:
    """The fine scale two operands are added at, t / 2**left with t = 2 max(s_a, s_b).

    Returns
    -------
    left : 20, or 15 for codes above 8 bits
    ratios : s_a / t and s_b / t, the factors to there after a shift to the left
    real : the factor from there to steps of the output grid

    Notes
    -----
    LiteRT ADD and SUB: the left shift keeps the bits that the rescaling of the smaller operand would lose.
    """
    left = 20 if max(grid.bits for grid in grids) <= 8 else 15
    scales = [float(grid.scale) for grid in grids]
    common = 2 * max(scales)
    return left, [scale / common for scale in scales], common / ((1 << left) * float(out.scale))


def align(codes: Sequence[Any], grids: Sequence[Any], out: QParams, op: str, arithmetic: Arithmetic) -> Any:
    """Bring two operands to their `common_scale`.

    Returns
    -------
    a, b : int64 arrays at that scale
    real : the factor from there to steps of the output grid

    Raises
    ------
    UnsupportedError    codes above 16 bits, which the left shift would push out of an int32
    """
    bits = max(grid.bits for grid in grids[:2])
    if bits > 16:
        raise UnsupportedError(
            f"{op} of {bits}-bit codes leaves the int32 that arithmetic {arithmetic.name!r} adds in; use one that "
            "rescales operands one by one, such as 'dyadic' or 'ibert'"
        )
    requantize = arithmetic.requantizer(op, grids[0].bits)
    left, ratios, real = common_scale(grids[:2], out)
    aligned = [
        requantize((q.astype(np.int64) - grid.zero_point) << left, ratio)
        for q, grid, ratio in zip(codes, grids, ratios, strict=True)
    ]
    return *aligned, real


def shifts(grids: Sequence[QParams], out: QParams) -> list[int] | None:
    """How far right each operand's codes go to be codes of the output; None where that is no shift.

    Notes
    -----
    LiteRT ADD and SUB on int16 with `pot_scale_int16`: every zero point 0, every scale a power of two (within a
    thousandth of the exponent), one operand on the output's grid, the other on a finer one.
    """
    if any(np.any(grid.zero_point) for grid in (*grids, out)):
        return None
    exponents = [log2(float(grid.scale)) for grid in (*grids, out)]
    if any(abs(exponent - round(exponent)) >= _NEAR for exponent in exponents):
        return None
    *operands, result = map(round, exponents)
    places = [result - exponent for exponent in operands]
    return places if min(places) == 0 else None


@layer("Add")
class Add(Binary):
    """y = a + b, shapes broadcast as in NumPy.

    Integer path: see `align`; with `shift_only`, and grids that allow it (see `shifts`), the finer operand is shifted
    right, half away from zero, and added to the other.
    """

    shift_only: bool = False

    def join(self, a: Array, b: Array) -> Array:
        """The operation itself, on reals or on integers of one scale."""
        return a + b

    def forward(self, a: Array, b: Array) -> Array:
        return self.join(a, b)

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy, a.shape), unbroadcast(dy, b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        places = shifts(grids, out) if self.shift_only else None
        if places is not None:
            return self.join(*map(rounding_divide_by_power_of_two, codes, places))
        a, b, real = align(codes, grids, out, self.op, arithmetic)
        return arithmetic.requantizer(self.op, grids[0].bits)(self.join(a, b), real) + out.zero_point
