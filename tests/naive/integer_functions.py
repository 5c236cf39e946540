"""I-BERT's functions on Python integers, which never overflow, written from Kim et al. 2021, sections 3.4 to 3.6."""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt, log2

from tests.naive.fixed_point import dyadic


def half_up(x: Fraction | int, places: int) -> int:
    """x / 2**places to the nearest integer, ties up."""
    return floor(Fraction(x) / Fraction(2) ** places + Fraction(1, 2))


def sign(q: int) -> int:
    return (q > 0) - (q < 0)


def erf_codes(q: int, scale: float) -> int:
    b, c = floor(-1.769 / scale), floor(1 / (-0.2888 * scale**2))
    return sign(q) * ((min(abs(q), -b) + b) ** 2 + c)


def gelu_codes(q: int, scale: float) -> int:
    gate_scale = -0.2888 * (scale / 1.4142) ** 2 * 2**14
    return q * (erf_codes(q, scale / 1.4142) // 2**14 + floor(1 / gate_scale))


def gelu_scale(scale: float) -> float:
    return scale * (-0.2888 * (scale / 1.4142) ** 2 * 2**14) / 2


def exp_constant(scale: float) -> int:
    return floor(1 / 0.35815147 / scale**2)


def exp_codes(q: int, scale: float) -> int:
    x0 = floor(-0.6931 / scale)
    q = max(q, 30 * x0)
    k, r = q // x0, q - q // x0 * x0
    z = r * (r + floor(0.96963238 / 0.35815147 / scale)) + exp_constant(scale)
    return max(floor(Fraction(z) * Fraction(2) ** (30 - k)), 0)


def softmax_codes(row: list[int], scale: float, bits: int) -> list[int]:
    one = exp_constant(scale) * 2**30
    powers = [exp_codes(q - max(row), scale) * 2**16 // 2 ** one.bit_length() for q in row]
    factor = 2**32 // sum(powers)
    return [e * factor // 2 ** (32 - bits) for e in powers]


def layernorm_codes(row: list[int], scale: float, shift: int, epsilon: float) -> list[int]:
    n = len(row)
    mean = round(Fraction(sum(row), n))
    spread = sum(((q - mean) // 2**shift) ** 2 for q in row) + floor(n * epsilon / (scale * 2.0**shift) ** 2)
    return [(q - mean) * (2**31 // max(isqrt(spread), 1)) // 2 ** (shift + 1) for q in row]


def shifted(q: int, left: int) -> int:
    return q * 2**left if left >= 0 else half_up(q, -left)


def gelu_rule(q: int, zero: int, scale: float, bits: int, out_scale: float, out_zero: int) -> int:
    """The rule of profile "ibert": codes at 2**14 to 2**15 steps up to 1.769 * 1.4142, or what 31 bits leave."""
    left = min(floor(log2(2**15 * scale / (1.769 * 1.4142))), 30 - bits)
    fine = scale * 2.0**-left
    y = -gelu_codes(shifted(q - zero, left), fine)
    gate = 2 / (0.2888 * (fine / 1.4142) ** 2 * 2**14) + 2
    cut = max(0, floor(gate * 2.0 ** (bits + left)).bit_length() - 31)
    return dyadic(half_up(y, cut), -gelu_scale(fine) * 2.0**cut / out_scale) + out_zero


def softmax_rule(row: list[int], scale: float, bits: int) -> list[int]:
    """Codes of scale 2**-bits without zero point, from a polynomial whose constant has 30 or 31 bits."""
    scale = min(scale, 32.0)  # one step is e**-32 or less: zero in any number of bits used here
    left = floor(log2(scale / (1 / 0.35815147 / 2**31) ** 0.5))
    lowest = -floor(31 * 0.6931 / scale) - 1
    return softmax_codes([shifted(max(q - max(row), lowest), left) for q in row], scale * 2.0**-left, bits)
