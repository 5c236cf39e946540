"""I-BERT's functions as integer rules of layers: formats in, formats out, int32 in between.

A rule brings codes of any width to the scale at which its polynomial fills an int32: codes of a coarse grid are shifted
left, which is exact, those of a fine one right, half up. How far follows from the grid alone, never from data.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.arithmetic import Arithmetic
from refq.numerics.ibert import (
    ERF_A,
    ERF_B,
    ERF_SHIFT,
    EXP_C,
    EXP_SHIFT,
    LN_2,
    ROOT_2,
    Integers,
    i_gelu,
    i_layernorm,
    i_softmax,
    variance_shift,
)
from refq.numerics.rounding import round_real, shift_right

_ERF_STEPS = 1 << 15
"""Steps to the end of the erf polynomial at most: 1.1065 * 2**30 < 2**31."""
_SOFTMAX_BITS = 16
_COARSEST_SOFTMAX = 32.0
"""From here on a single step makes a weight vanish, whatever the scale."""
_GUARD_BITS = 8
"""Fraction bits of a normalized value's two summands before their sum is rounded."""


def gelu(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Integers:
    """x * (1 + erf(x / sqrt 2)) / 2 by `i_gelu`, also for the tanh form, which differs by less than the polynomial.

    Notes
    -----
    Scale: 2**14 to 2**15 steps up to 1.769 * 1.4142, coarser only where the codes would leave 32 bits. The product with
    the gate, up to 49 bits, is cut to 32 bits, half up, before it is requantized.
    """
    grid = grids[0]
    scale = float(grid.scale)
    left = min(floor(log2(_ERF_STEPS * scale / (-ERF_B * ROOT_2))), 30 - grid.bits)
    q = move(codes[0].astype(np.int64) - grid.zero_point, left)
    scale *= 2.0**-left
    y, y_scale = i_gelu(q, scale)
    gate = 2 / (-ERF_A * (scale / ROOT_2) ** 2 * (1 << ERF_SHIFT)) + 2
    cut = max(0, floor(gate * 2.0 ** (grid.bits + left)).bit_length() - 31)
    y = shift_right(-y, cut, "half_up")
    requantizer = arithmetic.requantizer(layer.op, grid.bits)
    return requantizer(y, -y_scale * 2.0**cut / float(out.scale)) + out.zero_point


def softmax(layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic) -> Integers:
    """exp(x - max x) / sum exp(x - max x) along the layer's axis by `i_softmax`.

    Notes
    -----
    Scale: c_q in [2**29, 2**31], so that the polynomial fits int32. Floors nest: hardware shifts it right once, by
    k + t - 30, and never holds the 61 bits of `i_exp`. Codes on [0, 1) of up to 16 bits come out directly; those of
    another grid are requantized from 16.
    """
    grid = grids[0]
    scale = min(float(grid.scale), _COARSEST_SOFTMAX)
    left = floor(log2(scale / sqrt(EXP_C / (1 << 31))))
    q = np.moveaxis(codes[0].astype(np.int64), layer.axis, -1)
    d = np.maximum(q - q.max(axis=-1, keepdims=True), -floor((EXP_SHIFT + 1) * LN_2 / scale) - 1)
    direct = out.bits <= _SOFTMAX_BITS and float(out.scale) == 2.0**-out.bits
    y, y_scale = i_softmax(move(d, left), scale * 2.0**-left, out.bits if direct else _SOFTMAX_BITS)
    if not direct:
        y = arithmetic.requantizer(layer.op, grid.bits)(y, y_scale / float(out.scale))
    return np.moveaxis(y, -1, layer.axis) + out.zero_point


def layer_normalization(
    layer: Any, codes: Sequence[Any], grids: Sequence[Any], out: Any, arithmetic: Arithmetic
) -> Integers:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta by `i_layernorm`.

        y = (requantize(sign(gamma) * normal, |gamma| * s_n * 2**g / s_y) + round(beta * 2**g / s_y) + 2**(g - 1)) >> g

    Notes
    -----
    The published code adds floor(beta / gamma / s) to the normalized value, which a zero weight divides by zero and a
    small one overflows; here both summands come to 2**-g output steps, g = 8, fewer where |M| would pass 1/2.
    """
    grid = grids[0]
    gamma, beta = (np.asarray(values, np.float64) for values in codes[1:3])
    axes = sorted(axis % codes[0].ndim for axis in layer.axis)
    last = range(-len(axes), 0)
    x = np.moveaxis(codes[0].astype(np.int64) - grid.zero_point, axes, last)
    rows = x.reshape(*x.shape[: x.ndim - len(axes)], -1)
    scale, epsilon = float(grid.scale), float(layer.epsilon)
    shift = variance_shift(grid.bits, rows.shape[-1], scale, epsilon)
    left = max(-shift, 0)
    y, y_scale = i_layernorm(rows << left, scale * 2.0**-left, shift=max(shift, 0), epsilon=epsilon)
    factor = np.abs(gamma).reshape(-1) * (y_scale / float(out.scale))
    largest = float(factor.max(initial=0.0))
    guard = next((g for g in range(_GUARD_BITS, 0, -1) if largest * 2.0**g <= 0.5), 0)
    signed = y * np.sign(gamma).reshape(-1).astype(np.int64)
    offset = round_real(beta.reshape(-1) * (2.0**guard / float(out.scale)), "half_even")
    if offset.size and np.abs(offset).max() >= 2.0**31:
        raise RangeError(f"beta up to {np.abs(beta).max()} does not fit 32 bits in steps of {float(out.scale)}")
    total = arithmetic.requantizer(layer.op, grid.bits)(signed, factor * 2.0**guard) + offset.astype(np.int64)
    return np.moveaxis(shift_right(total, guard, "half_up").reshape(x.shape), last, axes) + out.zero_point


def move(q: NDArray[Any], left: int) -> Integers:
    """q * 2**left: exact to the left, half up to the right."""
    return q << left if left >= 0 else shift_right(q, min(-left, 62), "half_up")
