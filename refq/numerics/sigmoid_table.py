"""Int16 sigmoid and tanh by interpolation in one table of 256 entries: CMSIS-NN's and LiteRT's.

    T[k] ~ 65536 * sigmoid(k / 24);    tanh(v) = 2 * sigmoid(2v) - 1

Arguments are in steps of 1 / (3 * 4096), so that the table reaches +-10.6; outputs are Q0.15.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.fixed_point import wrap_int32
from refq.numerics.rounding import round_real

Q15_SCALE = np.float32(2.0**-15)
"""Scale of the outputs."""

_ONE_ABOVE = [
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49,
    50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
]  # fmt: skip
"""Entries that are published one above the nearest integer: the interpolation is more exact with them."""


@cache
def sigmoid_table() -> NDArray[np.int64]:
    """The 256 published entries.

    Notes
    -----
    `sigmoid_table_uint16` of CMSIS-NN's arm_nntables.c and of LiteRT. Every entry but those listed above is the nearest
    integer, and none lies closer than 0.001 to a tie, so that no exponential function can give another table.

    >>> sigmoid_table()[[0, 1, 255]].tolist()
    [32768, 33451, 65535]
    """
    table = np.rint(65536 / (1 + np.exp(-np.arange(256) / 24))).astype(np.int64)
    table[_ONE_ABOVE] += 1
    table.flags.writeable = False
    return table


def sigmoid_of_steps(d: Any) -> NDArray[np.int64]:
    """sigmoid(d / 12288) in Q0.15, 0..32767.

    Parameters
    ----------
    d : integer array of int32 values
    """
    d = np.asarray(d, np.int64)
    r = _interpolate(np.abs(d), 9, 0x7FFF << 10)
    return np.where(d >= 0, r + 512, (1 << 25) - r + 511) >> 10


def tanh_of_steps(d: Any) -> NDArray[np.int64]:
    """tanh(d / 12288) in Q0.15.

    Parameters
    ----------
    d : integer array of int32 values
    """
    d = np.asarray(d, np.int64)
    r = _interpolate(np.abs(d), 8, 0xFFFF << 8) - (1 << 23)
    return np.where(d >= 0, r + 128, 127 - r) >> 8


def sigmoid16(v: Any, shift: int = 0) -> NDArray[np.int64]:
    """sigmoid(v * 2**shift / 4096) in Q0.15.

    Parameters
    ----------
    v : integer array of int16 values
    shift : int in -31..14

    Notes
    -----
    CMSIS-NN `arm_nn_activation_s16`; LiteRT `reference_integer_ops::Logistic` for int16 with a power-of-two scale.

    >>> sigmoid16([-32768, 0]).tolist()
    [11, 16384]
    """
    return sigmoid_of_steps(_steps(v, shift))


def tanh16(v: Any, shift: int = 0) -> NDArray[np.int64]:
    """tanh(v * 2**shift / 4096) in Q0.15; parameters and notes as in `sigmoid16`."""
    return tanh_of_steps(_steps(v, shift))


def steps_of_codes(codes: Any, scale: Any, exact_shifts: tuple[int, ...]) -> NDArray[np.int64]:
    """int16 codes of any scale in steps of 1 / 12288: (q * m + 2**(k - 1)) >> k.

        scale 2**(n - 12), n in `exact_shifts`:  m = 3 << n, k = 0
        else  m * 2**-k ~ 12288 * scale, m in (2**14, 2**15), rounded down

    Parameters
    ----------
    codes : integer array of int16 values
    scale : float32 > 0
    exact_shifts : (0,) for LOGISTIC, (0, 1) for TANH

    Notes
    -----
    LiteRT `SigmoidPrepare`, `TanhPrepare`. A scale counts as a power of two if its logarithm, in float32, is within
    0.001 of an integer.
    """
    log2 = np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2)))
    nearest = int(round_real(log2, "half_away"))
    if abs(log2 - nearest) < np.float32(1e-3) and 12 + nearest in exact_shifts:
        m, k = 3 << (12 + nearest), 0
    else:
        real, k = float(scale) * 4096.0 * 3.0, 0
        while real <= 32767.0 / 2.0 and k <= 30:
            real, k = 2 * real, k + 1
        m = int(real)
    product = wrap_int32(np.asarray(codes, np.int64) * m)
    return wrap_int32(product + ((1 << k) >> 1)) >> k


def _steps(v: Any, shift: int) -> NDArray[np.int64]:
    v = 3 * np.asarray(v, np.int64)
    return v << shift if shift >= 0 else (v + (1 << (-shift - 1))) >> -shift


def _interpolate(a: NDArray[np.int64], bits: int, saturated: int) -> NDArray[np.int64]:
    """The table at a / 2**bits, times 2**bits; `saturated` from entry 255 on."""
    table, index = sigmoid_table(), np.minimum(a >> bits, 254)
    low, high = table[index], table[index + 1]
    return np.where(a >> bits >= 255, saturated, (low << bits) + (a & ((1 << bits) - 1)) * (high - low))
