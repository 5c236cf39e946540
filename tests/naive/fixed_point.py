"""Requantizers on Python integers, written from the published text, not from the package."""

from __future__ import annotations

from math import frexp
from typing import Any


def divide_toward_zero(a: int, b: int) -> int:
    return abs(a) // b * (1 if a >= 0 else -1)


def srdhm(a: int, b: int) -> int:
    """gemmlowp SaturatingRoundingDoublingHighMul, its nudge and truncation spelled out."""
    if a == b == -(2**31):
        return 2**31 - 1
    nudge = 2**30 if a * b >= 0 else 1 - 2**30
    return divide_toward_zero(a * b + nudge, 2**31)


def rdbypot(x: int, exponent: int) -> int:
    """gemmlowp RoundingDivideByPOT."""
    mask = 2**exponent - 1
    remainder = x & mask
    return (x >> exponent) + (1 if remainder > (mask >> 1) + (1 if x < 0 else 0) else 0)


def multiplier(real: float) -> tuple[int, int]:
    """TFLite QuantizeMultiplier."""
    if real == 0:
        return 0, 0
    mantissa, exponent = frexp(real)
    scaled = mantissa * 2**31
    m = int(scaled + 0.5)
    if m == 2**31:
        m, exponent = m // 2, exponent + 1
    return (0, 0) if exponent < -31 else (m, exponent)


def wrap32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def double(acc: int, real: float) -> int:
    m, s = multiplier(real)
    return rdbypot(srdhm(wrap32(acc << max(s, 0)), m), max(-s, 0))


def single(acc: int, real: float) -> int:
    m, s = multiplier(real)
    return (acc * m + 2 ** (30 - s)) >> (31 - s)


def single_away(acc: int, real: float) -> int:
    return single(acc, real) if acc >= 0 else -single(-acc, real)


def int64(acc: int, real: float) -> int:
    m, s = multiplier(real)
    m16 = (m + 2**15) >> 16 if m < 0x7FFF0000 else 0x7FFF
    return (acc * m16 + 2 ** (14 - s)) >> (15 - s)


RULES: dict[str, Any] = {"double": double, "single": single, "single_away": single_away, "int64": int64}
