"""The named arithmetic profiles: short tables of layer kind -> requantizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from refq.errors import RangeError
from refq.numerics import ibert_rules, onnxruntime, shift_only, xnnpack
from refq.numerics.accumulator import Accumulator
from refq.numerics.arithmetic import ANY, Arithmetic
from refq.numerics.requantize import (
    double,
    dyadic,
    float32_factor,
    float32_half_even,
    float32_product,
    int64,
    pow2,
    single,
    single_away,
)
from refq.numerics.residual import add_branches, subtract_branches


def _concatenate(layer: Any, codes: Any, grids: Any, out: Any, arithmetic: Arithmetic) -> Any:
    rule = layer.integer if out.signed or out.bits > 8 else layer.integer_unsigned
    return rule(codes, grids, out, arithmetic)


LITERT = Arithmetic(
    name="litert",
    requantize={
        ANY: double,
        "Dense": single_away,
        "Multiply": replace(double, factor=float32_factor),
        "Abs": replace(double, factor=float32_factor),
        "Clamp": replace(double, factor=float32_factor),
        "Relu": replace(double, factor=float32_factor),
        "Prelu": replace(double, factor=float32_factor),
        "BatchMatMul": replace(double, factor=float32_product),
        "Svdf": replace(double, factor=float32_factor),
        ("Conv2D", 16): int64,
        ("DepthwiseConv2D", 16): int64,
        ("Conv2DTranspose", 16): int64,
        ("Dense", 16): single_away,
        ("BatchMatMul", 16): replace(int64, factor=float32_product),
        ("BatchNormalization", 16): single,
        ("Multiply", 16): replace(double, factor=float32_factor),
        "ReduceProd": int64,
        ("SquaredDifference", 16): int64,
    },
    rules={"Concatenate": _concatenate},
    input_rounding="half_away",
)
"""LiteRT 2.3 reference kernels (resolver BUILTIN_REF). A normalization of its own is no operator there; of 16-bit
activations it sums in more than the 32 bits that `double` takes."""


def _by_tables(layer: Any, codes: Any, grids: Any, out: Any, arithmetic: Arithmetic) -> Any:
    return layer.integer_by_tables(codes, grids, out, arithmetic)


CMSIS_NN = Arithmetic(
    name="cmsis-nn",
    requantize={
        **LITERT.requantize,
        "Dense": double,
        ("Dense", 16): int64,
        "Multiply": double,
        ("Multiply", 16): double,
        ("LSTM", 16): int64,
    },
    rules={"LSTM": _by_tables},
    input_rounding="half_away",
)
"""CMSIS-NN below TensorFlow Lite Micro, which forms the multipliers as LiteRT does, those of MUL in float64 (read in
its `mul_common.cc`): `arm_nn_requantize` (double), and `arm_nn_requantize_s64` (int64) for sums of 16-bit
activations."""

DYADIC = Arithmetic(
    name="dyadic",
    requantize={ANY: dyadic},
    rules={"Add": add_branches, "Subtract": subtract_branches},
)
"""HAWQ-V3: one dyadic multiplier m / 2**e everywhere, residual branches rescaled one by one."""

IBERT = replace(
    DYADIC,
    name="ibert",
    rules={
        **DYADIC.rules,
        "Gelu": ibert_rules.gelu,
        "Softmax": ibert_rules.softmax,
        "LayerNormalization": ibert_rules.layer_normalization,
    },
)
"""I-BERT: the dyadic rules, and integer polynomials for what surrounds attention; see recipe "ibert"."""

POW2 = Arithmetic(
    name="pow2",
    requantize={ANY: pow2},
    rules={"Mean": shift_only.mean, "Average": shift_only.average},
)
"""Shift only, as CMSIS-NN's first kernels scaled: every scale a power of two, see recipe "int8-pow2"."""

ONNX = Arithmetic(
    name="onnx",
    requantize={ANY: replace(float32_half_even, factor=float32_factor)},
    rules=onnxruntime.RULES,
    accumulator=Accumulator(bits=32, overflow="wrap"),
)
"""ONNX Runtime 1.32 CPU kernels (x86-64): float32 factors, round half even; QDQ pairs fused into them."""

_DELEGATED = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense", "BatchMatMul", "Multiply")

XNNPACK = Arithmetic(
    name="xnnpack",
    requantize={**LITERT.requantize, **dict.fromkeys(_DELEGATED, replace(float32_half_even, factor=float32_factor))},
    rules={**xnnpack.RULES},
    accumulator=Accumulator(bits=32, overflow="wrap"),
    input_rounding="half_even",
)
"""LiteRT 2.3 with its default delegate (resolver AUTO): XNNPACK's 8-bit kernels of x86-64, `litert` for the rest."""

PROFILES: Mapping[str, Arithmetic] = {
    profile.name: profile for profile in (LITERT, CMSIS_NN, XNNPACK, ONNX, DYADIC, IBERT, POW2)
}


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
