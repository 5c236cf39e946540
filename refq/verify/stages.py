"""What a requantizer holds after each of its steps, as a datapath would show it.

Names of the steps, in order; the last equals what the requantizer gives, before zero point and clamp:

    double             left_shifted, high (after the first rounding), rounded (after the second)
    every other rule   rounded
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.fixed_point import saturating_rounding_doubling_high_multiply, wrap_int32
from refq.numerics.requantize import Factors, Requantizer

Wide = NDArray[np.int64]


def stages(requantizer: Requantizer, acc: Wide, factors: Factors) -> dict[str, Wide]:
    """Name of a step -> value after it, in the order of the datapath.

    Parameters
    ----------
    requantizer : Requantizer
    acc : int64, shape (..., channels)
    factors : what `requantizer.prepare` gave; one value, or one a channel
    """
    rounded = requantizer.apply(acc, *factors)
    if requantizer.name != "double":
        return {"rounded": rounded}
    multiplier, shift = factors
    left_shifted = wrap_int32(acc << np.maximum(np.asarray(shift, np.int64), 0))
    high = saturating_rounding_doubling_high_multiply(left_shifted, multiplier)
    return {"left_shifted": left_shifted, "high": high, "rounded": rounded}


def factor_names(requantizer: Requantizer) -> tuple[str, ...]:
    """What the prepared factors of a requantizer are called in files."""
    return {"pow2": ("shift",), "float32_half_even": ("scale",)}.get(requantizer.name, ("multiplier", "shift"))


def as_bits(factor: NDArray[Any]) -> Wide:
    """A factor as integers: a float32 one as its IEEE bit pattern."""
    array = np.asarray(factor)
    return array.view(np.uint32).astype(np.int64) if array.dtype == np.float32 else array.astype(np.int64)
