"""What one processing element does to two operand words, by precision. Compiled.

int8, int4   a b
2xint4       a_low b_low + a_high b_high, two signed nibbles a word
binary       n - 2 popcount(a xor b), n valid bits a word; bit 1 is +1, bit 0 is -1
"""

from __future__ import annotations

from numba import njit

PRODUCT, NIBBLES, XNOR = 0, 1, 2


@njit(cache=True, inline="always")
def ones(word: int) -> int:
    """Number of set bits among the 64 of a word."""
    word = word - ((word >> 1) & 0x5555555555555555)
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    return ((word * 0x0101010101010101) >> 56) & 0xFF


@njit(cache=True, inline="always")
def nibble(word: int, place: int) -> int:
    """A signed 4-bit field of a word."""
    field = (word >> (4 * place)) & 0xF
    return field - 16 if field > 7 else field


@njit(cache=True, inline="always")
def multiply(a: int, b: int, lanes: int, mode: int) -> int:
    """The sum of products of two words."""
    if mode == PRODUCT:
        return a * b
    if mode == NIBBLES:
        return nibble(a, 0) * nibble(b, 0) + nibble(a, 1) * nibble(b, 1)
    return lanes - 2 * ones(a ^ b)


@njit(cache=True, inline="always")
def zero_lanes(a: int, b: int, lanes: int, mode: int) -> int:
    """How many of a word's products have an operand that is zero; binary words have none."""
    if mode == PRODUCT:
        return 1 if a == 0 or b == 0 else 0
    if mode == NIBBLES:
        low = 1 if nibble(a, 0) == 0 or nibble(b, 0) == 0 else 0
        high = 1 if lanes > 1 and (nibble(a, 1) == 0 or nibble(b, 1) == 0) else 0
        return low + high
    return 0
