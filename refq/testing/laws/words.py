"""Laws 20 and 21: packed words, hex text, and products of signs by counting bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import integer_corners
from refq.testing.law import broken, expect_equal
from refq.testing.registry import law
from refq.testing.strategies import code_rows, signs
from refq.testing.strategies.words import TAILS
from refq.testing.subjects import BinaryDot, Packing

Array = Any


def all_codes(p: Packing) -> Array:
    """Every code, or the corners of codes wider than 8 bits."""
    if p.binary:
        return np.array([-1, 1])
    low, high = (-(1 << (p.bits - 1)), (1 << (p.bits - 1)) - 1) if p.signed else (0, (1 << p.bits) - 1)
    return np.arange(low, high + 1) if p.bits <= 8 else np.array(integer_corners(low, high))


def rows(p: Packing) -> Iterator[Array]:
    """Rows of every tail, each starting at another code, one of them all codes."""
    codes = all_codes(p)
    yield codes
    for i, n in enumerate(TAILS):
        yield np.resize(np.roll(codes, i), n)
        yield np.full(n, codes[0])
        yield np.full(n, codes[-1])


def drawn(p: Packing) -> SearchStrategy[Array]:
    """Drawn rows."""
    return signs().map(lambda pair: pair[0]) if p.binary else code_rows(p.bits, p.signed)


@law(
    Packing,
    20,
    "round trip",
    "unpack(pack(codes), count) == codes, sign, order and tail included",
    "a packing is a bijection",
    fixed=rows,
    drawn=drawn,
)
def packing_round_trips(p: Packing, codes: Array) -> None:
    expect_equal(np.asarray(p.unpack(p.pack(codes), len(codes))).astype(np.int64), codes, codes=codes)


def pairs(d: BinaryDot) -> Iterator[tuple[Array, Array]]:
    """Rows of every tail: equal, opposite, alternating, and one sign off at either end."""
    for n in TAILS:
        ones, alternate = np.ones(n, np.int64), 1 - 2 * (np.arange(n) % 2)
        ends = np.ones((2, n), np.int64)
        ends[0, 0] = ends[1, -1] = -1
        yield from ((ones, ones), (ones, -ones), (-ones, -ones), (ones, alternate), (ends[0], ones), (ends[1], ones))


@law(
    BinaryDot,
    21,
    "xnor",
    "2 popcount(xnor(a, b)) - n == sum a b; pad lanes never count",
    "Rastegari et al. 2016, section 3.2",
    fixed=pairs,
    drawn=lambda d: signs(),
)
def xnor_equals_the_sum(d: BinaryDot, pair: tuple[Array, Array]) -> None:
    a, b = pair
    got, expected = int(d.dot(a, b)), sum(int(x) * int(y) for x, y in zip(a, b, strict=True))
    if got != expected:
        broken(expected, got, n=len(a), a=a, b=b)


@law(
    BinaryDot,
    21,
    "parity",
    "the product of n signs has the parity of n",
    "n ones sum to n, and flipping a sign changes the sum by 2",
    fixed=pairs,
    drawn=lambda d: signs(),
)
def parity_of_the_length(d: BinaryDot, pair: tuple[Array, Array]) -> None:
    got = int(d.dot(*pair))
    if (got - len(pair[0])) % 2:
        broken(f"a number of the parity of {len(pair[0])}", got, n=len(pair[0]), a=pair[0], b=pair[1])
