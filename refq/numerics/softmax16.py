"""Int16 softmax by two tables with linear interpolation: LiteRT's and CMSIS-NN's."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.fixed_point import leading_zeros
from refq.numerics.lookup import interpolate, interpolation_table
from refq.numerics.requantize import double

_RANGE = 65535  # between the lowest and the highest int16


@cache
def _exp_table() -> NDArray[np.int64]:
    return interpolation_table(np.exp, np.float64(10 / _RANGE), 32767, np.float64(2 / _RANGE))


@cache
def _reciprocal_table() -> NDArray[np.int64]:
    return interpolation_table(lambda x: 1 / (1 + x), np.float64(1 / _RANGE), -32768, np.float64(2 / _RANGE))


def softmax16(codes: Any, factor: Any) -> NDArray[np.int64]:
    """Softmax of int16 codes along the last axis in Q0.15, 0..32767.

        e = exp table at double(x - max, factor) + 32767;  r = 1/(1+x) table at the sum, normalised to [1, 2)
        y = (e * r + 2**(k - 1)) >> k,  k = 31 - leading zeros of the sum

    Parameters
    ----------
    codes : integer array (..., n) of int16 values
    factor : real factor s_x / (10 / 65535) from codes to steps of the exp table

    Notes
    -----
    LiteRT `SoftmaxInt16LUT`; CMSIS-NN `arm_softmax_s16`.

    >>> softmax16([[0, 0]], 1.0).tolist()
    [[16384, 16384]]
    """
    x = np.asarray(codes, np.int64)
    scaled = double(x - x.max(axis=-1, keepdims=True), factor) + 32767
    e = interpolate(_exp_table(), np.clip(scaled, -32768, 32767))
    total = e.sum(axis=-1, keepdims=True)
    headroom = leading_zeros(total)
    normal = ((total << (headroom - 1)) + (1 << 13)) >> 14
    reciprocal = interpolate(_reciprocal_table(), np.clip(normal - 3 * (1 << 15), -32768, 32767))
    places = 31 - headroom
    return np.clip((e * reciprocal + (np.int64(1) << (places - 1))) >> places, 0, 32767)
