"""Oracles: requantizers on Python integers, which have no width to overflow, written from their published text.

A factor is M = m * 2**(s - 31), m in [2**30, 2**31); s > 0 shifts left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction


def half_up(numerator: int, places: int) -> int:
    """floor(numerator / 2**places + 1/2); a negative number of places multiplies."""
    if places <= 0:
        return numerator << -places
    return (numerator + (1 << (places - 1))) >> places


def half_away(numerator: int, places: int) -> int:
    """Ties away from zero."""
    return half_up(numerator, places) if numerator >= 0 else -half_up(-numerator, places)


def half_even(numerator: int, places: int) -> int:
    """Ties to even, as Python rounds exact fractions."""
    return round(Fraction(numerator, 1 << places)) if places > 0 else numerator << -places


def wrap(value: int, bits: int) -> int:
    """The low `bits` bits in two's complement."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def reduced(m: int) -> int:
    """The 16-bit multiplier of the rule int64."""
    return (m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF


def single(acc: int, m: int, s: int) -> int:
    """One rounding, half up."""
    return half_up(acc * m, 31 - s)


def single_away(acc: int, m: int, s: int) -> int:
    """One rounding, half away from zero."""
    return half_away(acc * m, 31 - s)


def double(acc: int, m: int, s: int) -> int:
    """gemmlowp's two roundings: doubling high multiply half up, then a division half away; the left shift wraps."""
    high = min(half_up(wrap(acc << max(s, 0), 32) * m, 31), (1 << 31) - 1)
    return half_away(high, max(-s, 0))


def int64(acc: int, m: int, s: int) -> int:
    """One rounding, half up, with the multiplier reduced to 16 bits."""
    return half_up(acc * reduced(m), 15 - s)


def dyadic(acc: int, m: int, s: int) -> int:
    """One rounding, ties to even."""
    return half_even(acc * m, 31 - s)


def pow2(acc: int, m: int, s: int) -> int:
    """A shift, half up; m is 2**30."""
    return half_up(acc, 1 - s)


def float32_half_even(acc: int, m: int, s: int) -> int:
    """Accumulator, factor and product each rounded to 24 bits, the result to an integer, all ties to even."""
    product = to_24_bits(to_24_bits(Fraction(acc)) * to_24_bits(Fraction(m) * Fraction(2) ** (s - 31)))
    return round(product)


def to_24_bits(value: Fraction) -> Fraction:
    """The nearest binary fraction of 24 significant bits, ties to even: a float32 without limits of its exponent.

    >>> int(to_24_bits(Fraction(2**24 + 1))) - 2**24, int(to_24_bits(Fraction(2**24 + 3))) - 2**24
    (0, 4)
    """
    if value == 0:
        return value
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    unit = Fraction(2) ** (exponent - 23)
    return round(value / unit) * unit


ORACLES: Mapping[str, Callable[[int, int, int], int]] = {
    "double": double,
    "single": single,
    "single_away": single_away,
    "int64": int64,
    "dyadic": dyadic,
    "pow2": pow2,
    "float32_half_even": float32_half_even,
}
"""Rule -> (acc, m, s) -> integer, before zero point and clamp."""


def dot(a: list[int], b: list[int], a_zero: int = 0, b_zero: int = 0) -> int:
    """sum_k (a_k - a_zero) * (b_k - b_zero)."""
    return sum((x - a_zero) * (y - b_zero) for x, y in zip(a, b, strict=True))
