"""Int16 softmax by two tables with linear interpolation: LiteRT's and CMSIS-NN's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.fixed_point import leading_zeros
from refq.numerics.requantize import double
from refq.numerics.rounding import round_real

_SEGMENTS = 512


def interpolation_table(function: Callable[[Any], Any], low: float, high: float) -> NDArray[np.int64]:
    """513 samples of a function on [low, high] in Q0.15, for interpolation over 512 segments.

    A sample is lowered by half the error that interpolation would make in the middle of its segment.

    Notes
    -----
    TFLite `LUTPopulateInt16`, output range [-1, 1].
    """
    step = (high - low) / _SEGMENTS
    x = low + np.arange(_SEGMENTS + 1) * step
    exact = function(x) * 32768
    here = round_real(exact, "half_away")
    middle = round_real(function(x[:-1] + step / 2) * 32768, "half_away")
    interpolated = round_real((exact[1:] + here[:-1]) / 2, "half_away")
    here[:-1] -= round_real((interpolated - middle) / 2, "half_away")
    return np.clip(here, -32768, 32767).astype(np.int64)


@cache
def _exp_table() -> NDArray[np.int64]:
    return interpolation_table(np.exp, -10.0, 0.0)


@cache
def _reciprocal_table() -> NDArray[np.int64]:
    return interpolation_table(lambda x: 1 / (1 + x), 0.0, 1.0)


def interpolate(table: NDArray[np.int64], v: Any) -> NDArray[np.int64]:
    """The table at int16 codes: base + (slope * rest + 64) >> 7, 128 codes a segment."""
    v = np.asarray(v, np.int64)
    index, rest = 256 + (v >> 7), v & 127
    return table[index] + (((table[index + 1] - table[index]) * rest + 64) >> 7)


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
