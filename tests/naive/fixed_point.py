"""Requantizers on Python integers, written from the published text, not from the package."""

from __future__ import annotations

from fractions import Fraction
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


def apply_double(acc: int, m: int, s: int) -> int:
    return rdbypot(srdhm(wrap32(acc << max(s, 0)), m), max(-s, 0))


def apply_single(acc: int, m: int, s: int) -> int:
    return (acc * m + (2 ** (30 - s) if s <= 30 else 0)) >> (31 - s)


def apply_single_away(acc: int, m: int, s: int) -> int:
    return apply_single(acc, m, s) if acc >= 0 else -apply_single(-acc, m, s)


def apply_int64(acc: int, m16: int, s: int) -> int:
    return (acc * m16 + 2 ** (14 - s)) >> (15 - s)


def apply_dyadic(acc: int, m: int, s: int) -> int:
    """HAWQ's round(acc * m / 2**e), e = 31 - s, with Python's own ties to even on exact fractions."""
    return round(Fraction(acc * m, 2 ** (31 - s)))


def apply_pow2(acc: int, n: int) -> int:
    return (acc + 2 ** (n - 1)) >> n if n > 0 else acc << -n


APPLY: dict[str, Any] = {
    "double": apply_double,
    "single": apply_single,
    "single_away": apply_single_away,
    "int64": apply_int64,
    "dyadic": apply_dyadic,
    "pow2": apply_pow2,
}
"""The integer half of each rule: (accumulator, *factors) -> result."""


def multiplier16(real: float) -> tuple[int, int]:
    """LiteRT's reduction of a Q31 multiplier to Q15."""
    m, s = multiplier(real)
    return (m + 2**15) >> 16 if m < 0x7FFF0000 else 0x7FFF, s


def frexp_multiplier(real: float) -> tuple[int, int]:
    """HAWQ batch_frexp: the mantissa times 2**31, half up, not renormalised."""
    mantissa, exponent = frexp(real)
    return int(mantissa * 2**31 + 0.5), exponent


def double(acc: int, real: float) -> int:
    return apply_double(acc, *multiplier(real))


def single(acc: int, real: float) -> int:
    return apply_single(acc, *multiplier(real))


def single_away(acc: int, real: float) -> int:
    return apply_single_away(acc, *multiplier(real))


def int64(acc: int, real: float) -> int:
    return apply_int64(acc, *multiplier16(real))


def dyadic(acc: int, real: float) -> int:
    return apply_dyadic(acc, *frexp_multiplier(real))


RULES: dict[str, Any] = {
    "double": double,
    "single": single,
    "single_away": single_away,
    "int64": int64,
    "dyadic": dyadic,
}
