"""Integer erf, GELU, exponential, softmax, square root and layer normalization: Kim et al. 2021, I-BERT.

Each function maps integers and their scale to integers and their scale. Constants are formed once from the scale, in
float64 and floored; every array is an int64. The published code simulates these formulas in float32; here they are
exact, so that hardware can agree to the last bit. With scales as the rules of `refq.numerics.ibert_rules` choose them
every polynomial fits int32; finer ones fit int64 or are refused.

Largest error against the real function of the same codes, on grids over [-8, 8) ("-": refused, int64 cannot hold it;
normal and uniform rows of 64 scores to 16-bit codes, of 256 values to normalize with epsilon 1e-3):

    input bits           8        12       16       22       32
    GELU as published    66       0.15     0.019    0.019    -
    softmax as published 0.070    0.0026   0.00065  -        -
    GELU rule            0.019    0.019    0.019    0.019    0.019
    softmax rule         0.00067  0.00070  0.00065  0.00071  0.00067
    normalization rule   0.0029   0.0027   0.0013   0.0013   0.0015

"As published" is the formula on the codes as they come: it needs the scale of an int32 accumulator and is useless at 8
bits. The rules bring every width to such a scale; what is left is the error of the polynomials, 0.018 for GELU (table 1
of the paper) and 1.9e-3 for the exponential. tests/unit/numerics/test_ibert_rules.py measures this table.
"""

from __future__ import annotations

from math import floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError
from refq.numerics.ibert_normalization import i_layernorm, i_sqrt, variance_shift
from refq.numerics.matmul import magnitude

__all__ = ["i_erf", "i_exp", "i_gelu", "i_layernorm", "i_softmax", "i_sqrt", "variance_shift"]

ERF_A, ERF_B = -0.2888, -1.769
ROOT_2 = 1.4142
"""sqrt 2 with the digits of the published code."""
ERF_SHIFT = 14
LN_2 = 0.6931
EXP_A, EXP_B, EXP_C = 0.35815147, 0.96963238 / 0.35815147, 1 / 0.35815147
EXP_SHIFT = 30

Integers = NDArray[np.int64]


def i_erf(q: Any, scale: float) -> tuple[Integers, float]:
    """erf(x) = sign(x) * (a * (min(|x|, -b) + b)**2 + 1), a = -0.2888, b = -1.769.

        b_q = floor(b / s);  c_q = floor(1 / (a * s**2));  y = sign(q) * ((min(|q|, -b_q) + b_q)**2 + c_q)

    Parameters
    ----------
    q : integer array
    scale : float > 0, at most 2**31 steps to 1.769; int32 holds the result where 1.1065 * (1.769 / s)**2 < 2**31

    Returns
    -------
    y : int64 array
    scale : a * s**2, which is negative

    Raises
    ------
    RangeError    a scale too fine for int64
    """
    b = floor(ERF_B / _checked(scale, ERF_B / 2**31, "i_erf"))
    c = floor(1 / (ERF_A * scale**2))
    q = np.asarray(q, np.int64)
    return np.sign(q) * ((np.minimum(np.abs(q), -b) + b) ** 2 + c), ERF_A * scale**2


def i_gelu(q: Any, scale: float) -> tuple[Integers, float]:
    """gelu(x) = x * (1 + erf(x / sqrt 2)) / 2.

        L = floor(i_erf(q, s / 1.4142) / 2**14), of scale s_L;  y = q * (L + floor(1 / s_L))

    Parameters
    ----------
    q : integer array
    scale : float > 0

    Returns
    -------
    y : int64 array, |y| <= 2 |q| / |s_L| + |q|
    scale : s * s_L / 2, which is negative

    Raises
    ------
    RangeError    a scale too fine for the codes to fit int64

    Notes
    -----
    The published formula as it stands. On 8-bit codes b_q and c_q have few digits and the error is many times that of
    the polynomial; `ibert_rules.gelu` first shifts such codes left.
    """
    erf_q, erf_scale = i_erf(q, scale / ROOT_2)
    gate_scale = erf_scale * (1 << ERF_SHIFT)
    one = floor(1 / gate_scale)
    q = np.asarray(q, np.int64)
    if magnitude(q) * -2 * (one - 1) >= 1 << 63:
        raise RangeError(f"i_gelu: codes up to {magnitude(q)} of scale={scale} leave int64; shift them right first")
    return q * ((erf_q >> ERF_SHIFT) + one), scale * gate_scale / 2


def i_exp(q: Any, scale: float) -> tuple[Integers, float]:
    """exp(x) for x <= 0, as 2**-k * exp(r) with r in (-ln 2, 0] and a polynomial of second order.

        x0 = floor(-0.6931 / s);  q' = max(q, 30 * x0);  k = floor(q' / x0);  r = q' - k * x0
        y = (r * (r + floor(b / s)) + floor(c / s**2)) * 2**(30 - k)

    Parameters
    ----------
    q : integer array, <= 0
    scale : float > 0; 1.7 at most, or nothing is left of c; at least 1.9e-5, so that y fits int64

    Returns
    -------
    y : int64 array, >= 0
    scale : 0.35815147 * s**2 / 2**30

    Raises
    ------
    RangeError    a scale outside these ends

    Notes
    -----
    The published floor is exact as the exponent 30 - k is never negative, and neither is the polynomial on (-ln 2, 0].
    """
    c = floor(EXP_C / _checked(scale, sqrt(EXP_C / 2**33), "i_exp") ** 2)
    x0, b = floor(-LN_2 / scale), floor(EXP_B / scale)
    if c < 1:
        raise RangeError(f"i_exp: scale={scale} is above 1.7, too coarse; shift the codes left first")
    q = np.maximum(np.asarray(q, np.int64), EXP_SHIFT * x0)
    k = q // x0
    r = q - k * x0
    return np.maximum((r * (r + b) + c) << (EXP_SHIFT - k), 0), EXP_A * scale**2 / (1 << EXP_SHIFT)


def i_softmax(q: Any, scale: float, bits: int = 8) -> tuple[Integers, float]:
    """softmax along the last axis.

        e = floor(i_exp(q - max q) / 2**t), t so that exp(0) has 16 bits
        y = floor(e * floor(2**32 / sum e) / 2**(32 - bits))

    Parameters
    ----------
    q : integer array (..., n), at most 62 bits wide
    scale : float, as for `i_exp`
    bits : int in 1..16

    Returns
    -------
    y : int64 array in 0..2**bits (the end itself only where one element takes all)
    scale : 2**-bits

    Notes
    -----
    The published code requantizes exponentials to 16 bits by a running minimum and maximum, so that its result depends
    on earlier data. exp of a non-positive number never exceeds exp(0) = c_q * 2**30, so the scale alone gives t.
    """
    q = np.asarray(q, np.int64)
    e, _ = i_exp(q - q.max(axis=-1, keepdims=True), scale)
    one = floor(EXP_C / scale**2) << EXP_SHIFT
    e = e >> (one.bit_length() - 16)
    factor = (1 << 32) // e.sum(axis=-1, keepdims=True)
    return (e * factor) >> (32 - bits), 2.0**-bits


def _checked(scale: float, finest: float, function: str) -> float:
    if not scale >= abs(finest):
        raise RangeError(f"{function}: scale={scale} is finer than {abs(finest):.3g}; shift the codes right first")
    return scale
