"""The named arithmetic profiles: short tables of layer kind -> requantizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from refq.errors import RangeError
from refq.numerics.arithmetic import ANY, Arithmetic
from refq.numerics.requantize import double, float32_factor, float32_product, int64, single_away

LITERT = Arithmetic(
    name="litert",
    requantize={
        ANY: double,
        "Dense": single_away,
        "Multiply": replace(double, factor=float32_factor),
        "Relu": replace(double, factor=float32_factor),
        "Prelu": replace(double, factor=float32_factor),
        "BatchMatMul": replace(double, factor=float32_product),
        ("Conv2D", 16): int64,
        ("DepthwiseConv2D", 16): int64,
        ("Conv2DTranspose", 16): int64,
        ("BatchMatMul", 16): replace(int64, factor=float32_product),
    },
    input_rounding="half_away",
)
"""LiteRT 2.3 reference kernels (resolver BUILTIN_REF)."""

CMSIS_NN = Arithmetic(
    name="cmsis-nn",
    requantize={
        ANY: double,
        ("Conv2D", 16): int64,
        ("DepthwiseConv2D", 16): int64,
        ("Dense", 16): int64,
        ("BatchMatMul", 16): int64,
    },
    input_rounding="half_away",
)
"""CMSIS-NN: `arm_nn_requantize` (double), `arm_nn_requantize_s64` for sums of 16-bit activations."""

PROFILES: Mapping[str, Arithmetic] = {profile.name: profile for profile in (LITERT, CMSIS_NN)}


def find_arithmetic(arithmetic: str | Arithmetic) -> Arithmetic:
    """A profile by name, or the value itself.

    Raises
    ------
    RangeError    if there is no profile of that name; the text lists those there are
    """
    if isinstance(arithmetic, Arithmetic):
        return arithmetic
    if arithmetic not in PROFILES:
        raise RangeError(f"arithmetic={arithmetic!r} is unknown; profiles are {', '.join(PROFILES)}")
    return PROFILES[arithmetic]
