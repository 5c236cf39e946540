"""Divide: elementwise quotient with broadcasting."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.graph import QParams
from refq.layers.base import Array, unbroadcast
from refq.layers.binary import Binary
from refq.layers.registry import layer
from refq.numerics import Arithmetic, quantize_multiplier, saturating_rounding_doubling_high_multiply
from refq.numerics.fixed_point import leading_zeros, wrap_int32
from refq.numerics.reciprocal import reciprocal
from refq.numerics.requantize import float32_factor


def shift_as_compiled(x: Array, exponent: Array) -> Array:
    """x / 2**exponent, half away from zero, where 0 <= exponent <= 31; beyond, what 32-bit machine code makes of it.

    Notes
    -----
    gemmlowp `RoundingDivideByPOT` leaves exponents above 31 undefined, and LiteRT DIV reaches them: quotients far below
    one output step. On x86-64 the shift takes the exponent modulo 32 and the remainder is x itself.
    """
    mask = wrap_int32(np.where(exponent < 32, (np.int64(1) << (exponent & 31)) - 1, -1))
    return (x >> (exponent & 31)) + ((x & mask) > (mask >> 1) + (x < 0))


@layer("Divide")
class Divide(Binary):
    """y = a / b, shapes broadcast as in NumPy.

    Integer path (LiteRT DIV): a_q - z_a, shifted left as far as 32 bits allow, times the fixed-point reciprocal of
    b_q - z_b, requantized by s_a / (s_b * s_y) formed in float32. A divisor code equal to z_b is a RangeError.
    """

    def forward(self, a: Array, b: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return a / b

    def grad(self, dy: Array, a: Array, b: Array) -> tuple[Array | None, ...]:
        return unbroadcast(dy / b, a.shape), unbroadcast(-dy * a / (b * b), b.shape)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: QParams, arithmetic: Arithmetic) -> Array:
        a, b = (q.astype(np.int64) - grid.zero_point for q, grid in zip(codes, grids, strict=True))
        if not b.all():
            raise RangeError(f"Divide: a divisor code is its zero point {int(grids[1].zero_point)}, which stands for 0")
        a, b = np.broadcast_arrays(a * np.sign(b), np.abs(b))
        inverse, places = reciprocal(b, 31)
        headroom = leading_zeros(np.where(a < 0, ~a, a)) - 1
        quotient = saturating_rounding_doubling_high_multiply(a << headroom, inverse)
        m, s = quantize_multiplier(float32_factor((grids[0].scale,), grids[1].scale * out.scale))
        scaled = saturating_rounding_doubling_high_multiply(quotient, m)
        return shift_as_compiled(scaled, places + headroom - s) + out.zero_point
