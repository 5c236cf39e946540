"""Softmax and its logarithm of 8-bit codes in gemmlowp fixed point: LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.exponential import exp_on_negative_values
from refq.numerics.fixed_point import INT32_MIN, leading_zeros, quantize_multiplier, rounding_divide_by_power_of_two
from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply as srdhm
from refq.numerics.logarithm import log
from refq.numerics.multiplier import calculate_input_radius, preprocess_softmax_scaling
from refq.numerics.reciprocal import one_over_one_plus_x
from refq.numerics.requantize import double

_INPUT_INTEGER_BITS = 5
_SUM_INTEGER_BITS = 12
_LOG_OUTPUT_INTEGER_BITS = 4


def softmax_parameters(scale: float, beta: float = 1.0) -> tuple[int, int, int]:
    """(multiplier, left_shift, diff_min) for an input scale and a factor beta before the exponential.

    Notes
    -----
    LiteRT `PreprocessSoftmaxScaling`, `CalculateInputRadius`.
    """
    m, s = preprocess_softmax_scaling(float(beta), float(scale), _INPUT_INTEGER_BITS)
    return m, s, -calculate_input_radius(_INPUT_INTEGER_BITS, s)


def integer_softmax(codes: Any, multiplier: int, left_shift: int, diff_min: int, bits: int = 8) -> NDArray[np.int64]:
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
    LiteRT SOFTMAX on int8 and uint8; 5 integer bits for differences and 12 for the sum.
    """
    counts, scaled = _differences(codes, multiplier, left_shift, diff_min)
    e, total = _exponentials(counts, scaled)
    headroom = leading_zeros(total)
    reciprocal = one_over_one_plus_x((total << headroom) - (1 << 31))
    y = rounding_divide_by_power_of_two(srdhm(reciprocal, e), _SUM_INTEGER_BITS - headroom + 31 - bits)
    return np.where(counts, y, 0) - (1 << (bits - 1))


def integer_log_softmax(codes: Any, scale: float) -> NDArray[np.int64]:
    """Logarithm of softmax of 8-bit codes along the last axis in steps of 1/16, 0 at the top; -255 where it is least.

        d = code - max in Q5.26;  l = log of the sum of exp(d) in Q5.26;  y = RDbP(d - l, 22)

    Parameters
    ----------
    codes : integer array (..., n)
    scale : scale of the codes

    Notes
    -----
    LiteRT LOG_SOFTMAX on int8 and uint8. A difference that would leave Q5.26 once l is taken off, or that did not count
    in the sum, gives the lowest code.
    """
    m, s, diff_min = softmax_parameters(scale)
    back_m, back_s = quantize_multiplier(2.0 ** (31 - s) / m)
    counts, scaled = _differences(codes, m, s, diff_min)
    log_of_sum = log(_exponentials(counts, scaled)[1], _SUM_INTEGER_BITS, _INPUT_INTEGER_BITS)
    least = np.maximum(diff_min - 1, double.apply(log_of_sum + INT32_MIN, back_m, back_s))
    d = _below_the_largest(codes)
    y = rounding_divide_by_power_of_two(scaled - log_of_sum, 31 - _INPUT_INTEGER_BITS - _LOG_OUTPUT_INTEGER_BITS)
    return np.where(d > least, y, -255)


def _below_the_largest(codes: Any) -> NDArray[np.int64]:
    codes = np.asarray(codes, np.int64)
    return codes - codes.max(axis=-1, keepdims=True)


def _differences(
    codes: Any, multiplier: int, left_shift: int, diff_min: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which codes count, and their distances below the largest in Q5.26; 0 for the others."""
    d = _below_the_largest(codes)
    counts = d >= diff_min
    return counts, srdhm(np.where(counts, d, 0) << left_shift, multiplier)


def _exponentials(counts: NDArray[np.bool_], scaled: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """exp of the differences in Q0.31, and their sum in Q12.19."""
    e = np.where(counts, exp_on_negative_values(scaled, _INPUT_INTEGER_BITS), 0)
    return e, rounding_divide_by_power_of_two(e, _SUM_INTEGER_BITS).sum(axis=-1, keepdims=True)
