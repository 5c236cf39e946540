"""Fixed-point numbers as scalar objects that add, multiply and rescale, with machine words that wrap.

Written from the published definitions: a number of `bits` bits and k integer bits is raw * 2**(k + 1 - bits); a product
adds the integer bits; changing them shifts left with saturation or right with rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.naive.fixed_point import divide_toward_zero


@dataclass(frozen=True)
class Fixed:
    raw: int
    k: int
    bits: int

    def with_raw(self, raw: int) -> Fixed:
        half = 2 ** (self.bits - 1)
        return Fixed((raw + half) % (2 * half) - half, self.k, self.bits)

    def like(self, raw32: int, k: int) -> Fixed:
        """A constant given as a 32-bit raw integer."""
        return Fixed(divide(raw32, 32 - self.bits), k, self.bits)

    def one(self, k: int) -> Fixed:
        return Fixed(2 ** (self.bits - 1) - 1 if k == 0 else 2 ** (self.bits - 1 - k), k, self.bits)

    def __add__(self, other: Fixed) -> Fixed:
        assert (self.k, self.bits) == (other.k, other.bits)
        return self.with_raw(self.raw + other.raw)

    def __neg__(self) -> Fixed:
        return self.with_raw(-self.raw)

    def __sub__(self, other: Fixed) -> Fixed:
        return self + -other

    def __mul__(self, other: Fixed) -> Fixed:
        half = 2 ** (self.bits - 1)
        if self.raw == other.raw == -half:
            return Fixed(half - 1, self.k + other.k, self.bits)
        product = self.raw * other.raw
        nudge = half // 2 if product >= 0 else 1 - half // 2
        return Fixed(divide_toward_zero(product + nudge, half), self.k + other.k, self.bits)

    def times_power(self, exponent: int) -> Fixed:
        """Saturating to the left, rounding half away from zero to the right."""
        if exponent <= 0:
            return Fixed(divide(self.raw, -exponent), self.k, self.bits)
        half = 2 ** (self.bits - 1)
        return Fixed(max(-half, min(half - 1, self.raw * 2**exponent)), self.k, self.bits)

    def rescaled(self, k: int) -> Fixed:
        return Fixed(self.times_power(self.k - k).raw, k, self.bits)


def divide(x: int, exponent: int) -> int:
    """x / 2**exponent, half away from zero."""
    return divide_toward_zero(2 * abs(x) + 2**exponent, 2 ** (exponent + 1)) * (1 if x >= 0 else -1)


def half_sum(a: Fixed, b: Fixed) -> Fixed:
    return Fixed(divide(a.raw + b.raw, 1), a.k, a.bits)


def exp_interval(a: Fixed) -> Fixed:
    x = a + Fixed(2 ** (a.bits - 4), 0, a.bits)
    c, third = a.like(1895147668, 0), a.like(715827883, 0)
    x2 = x * x
    x3, x4 = x2 * x, x2 * x2
    tail = ((x4.times_power(-2) + x3) * third + x2).times_power(-1)
    product = c * (x + tail)
    if a.bits == 16:
        return Fixed(max(-(2**15), min(2**15 - 1, c.raw + product.raw)), 0, 16)
    return c + product


BARREL = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242))


def exp_negative(a: Fixed) -> Fixed:
    if a.raw == 0:
        return a.one(0)
    fraction = a.bits - 1 - a.k
    if a.k > 5 and a.raw < -(32 << fraction):
        return Fixed(0, 0, a.bits)
    quarter = 1 << (fraction - 2)
    rest = a.with_raw(a.raw % quarter - quarter)
    result, remainder = exp_interval(rest.rescaled(0)), (rest - a).raw
    for exponent, factor in BARREL:
        if a.k > exponent and remainder & (1 << (fraction + exponent)):
            result = result * a.like(factor, 0)
    return result


def two_over_one_plus(a: Fixed) -> Fixed:
    half = half_sum(a, a.one(0))
    x = a.like(1515870810, 2) + half * a.like(-1010580540, 2)
    for _ in range(3):
        x = x + (x * (a.one(2) - half * x)).rescaled(2)
    return x


def one_over_one_plus(a: Fixed) -> Fixed:
    x = two_over_one_plus(a)
    return Fixed(x.raw, 1, x.bits).rescaled(0)


def one_minus_over_one_plus(a: Fixed) -> Fixed:
    return (two_over_one_plus(a) - a.one(2)).rescaled(0)


def logistic(a: Fixed) -> Fixed:
    if a.raw == 0:
        return a.like(1 << 30, 0)
    positive = one_over_one_plus(exp_negative(a if a.raw < 0 else -a))
    return positive if a.raw > 0 else a.one(0) - positive


def tanh(a: Fixed) -> Fixed:
    if a.raw == 0:
        return Fixed(0, 0, a.bits)
    n = a if a.raw < 0 else -a
    t = one_minus_over_one_plus(exp_negative(Fixed(n.raw, n.k + 1, n.bits)))
    return -t if a.raw < 0 else t
