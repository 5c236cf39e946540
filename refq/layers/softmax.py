"""Softmax: exponentials that sum to one."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.graph import LoopNest, QParams
from refq.layers.base import Array, FixedGrid, Layer, Shape
from refq.layers.registry import layer
from refq.numerics import Arithmetic, rounding_divide_by_power_of_two
from refq.numerics.exponential import exp_on_negative_values
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply
from refq.numerics.multiplier import calculate_input_radius, preprocess_softmax_scaling
from refq.numerics.reciprocal import one_over_one_plus_x
from refq.numerics.softmax16 import softmax16

_INPUT_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12
_GRID = FixedGrid(0.0, 1.0)
_GRID16 = QParams(scale=2.0**-15, bits=16)


def integer_softmax(codes: Array, multiplier: int, left_shift: int, diff_min: int, bits: int = 8) -> Array:
    """Softmax of codes along the last axis, on the grid of scale 2**-bits whose lowest code stands for 0.

        d = code - max;  e = exp(SRDHM(d << left_shift, multiplier)) in Q0.31, 0 where d < diff_min
        sum of RDbP(e, 12);  r = 1 / sum normalised to [1, 2);  y = RDbP(SRDHM(r, e), 31 - bits + headroom) + lowest

    Parameters
    ----------
    codes : integer array (..., n)
    multiplier, left_shift : Q31 multiplier of the input scale in Q5.26
    diff_min : differences below it count as exp = 0
    bits : 8 or 16, width of the output codes

    Notes
    -----
    LiteRT SOFTMAX on int8; gemmlowp fixed point with 5 integer bits for differences and 12 for the sum.
    """
    d = codes.astype(np.int64) - codes.max(axis=-1, keepdims=True).astype(np.int64)
    counts = d >= diff_min
    scaled = saturating_rounding_doubling_high_multiply(np.where(counts, d, 0) << left_shift, multiplier)
    e = np.where(counts, exp_on_negative_values(scaled, _INPUT_INTEGER_BITS), 0)
    total = np.where(counts, rounding_divide_by_power_of_two(e, _SUM_INTEGER_BITS), 0).sum(axis=-1, keepdims=True)
    headroom = 31 - np.floor(np.log2(total)).astype(np.int64)  # leading zeros of a positive int32, exact below 2**53
    shifted = (total << headroom) - (1 << 31)
    reciprocal = one_over_one_plus_x(shifted)
    product = saturating_rounding_doubling_high_multiply(reciprocal, e)
    y = rounding_divide_by_power_of_two(product, _SUM_INTEGER_BITS - headroom + 31 - bits)
    return np.where(counts, y, 0) - (1 << (bits - 1))


def softmax_parameters(scale: float) -> tuple[int, int, int]:
    """(multiplier, left_shift, diff_min) for an input scale; LiteRT `PreprocessSoftmaxScaling` with beta = 1."""
    m, s = preprocess_softmax_scaling(1.0, float(scale), _INPUT_INTEGER_BITS)
    return m, s, -calculate_input_radius(_INPUT_INTEGER_BITS, s)


@layer("Softmax")
class Softmax(Layer):
    """y = exp(x - max x) / sum exp(x - max x) along `axis`

    Integer path: see `integer_softmax` for 8-bit codes, `refq.numerics.softmax16` for 16-bit codes.
    """

    output_grid = _GRID

    axis: int = -1

    def infer_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        e = np.exp(x - x.max(axis=self.axis, keepdims=True))
        return e / e.sum(axis=self.axis, keepdims=True)

    def grad(self, dy: Array, x: Array) -> tuple[Array | None, ...]:
        y = self.forward(x)
        return (y * (dy - (dy * y).sum(axis=self.axis, keepdims=True)),)

    def integer(self, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Array:
        last, scale, bits = np.moveaxis(codes[0], self.axis, -1), float(grids[0].scale), grids[0].bits
        if bits == 16 and out == _GRID16:
            y = softmax16(last, scale / (10.0 / 65535.0))
        elif bits == 8 and out in (_GRID.qparams(8, True), _GRID.qparams(16, True)):
            y = integer_softmax(last, *softmax_parameters(scale), bits=out.bits)
        else:
            raise UnsupportedError(
                f"integer softmax of {bits}-bit codes: the output is int8 of scale 1/256 (or int16 of scale 1/65536) "
                "for int8, int16 of scale 1/32768 for int16"
            )
        return np.moveaxis(y, -1, self.axis)

    def nest(self, x: Shape) -> LoopNest:
        return LoopNest(kind="softmax", inputs=(prod(x),), outputs=prod(x), operations=3 * prod(x))
