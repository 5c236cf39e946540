"""Laws 16 and 17 of accumulators: wrap or saturate as declared, and the bound that keeps them from either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import integer_corners
from refq.testing.law import broken
from refq.testing.oracles import wrap
from refq.testing.registry import law, no_example
from refq.testing.subjects import Register

Case = tuple[int, list[int]]


def _limits(bits: int) -> tuple[int, int]:
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def model(register: Register, start: int, terms: list[int]) -> int:
    """The register on integers without width."""
    low, high = _limits(register.bits)
    total = start
    for term in [0, *terms]:
        total += term
        total = wrap(total, register.bits) if register.overflow == "wrap" else min(max(total, low), high)
    return total


def extremes(register: Register) -> Iterator[Case]:
    """Sums that leave the register at either end, by one and by far, and return."""
    low, high = _limits(register.bits)
    for edge, sign in ((high, 1), (low, -1)):
        yield edge, []
        yield edge, [sign]
        yield edge - sign, [sign]
        yield edge, [sign, -sign]
        yield edge, [edge]
        yield 0, [edge, edge, -edge]


def cases(register: Register) -> SearchStrategy[Case]:
    """A start and terms, biased to the limits."""
    low, high = _limits(register.bits)
    value = st.one_of(st.sampled_from(sorted(integer_corners(low, high), key=abs)), st.integers(low, high))
    return st.tuples(value, st.lists(value, max_size=6))


@law(
    Register,
    16,
    "overflow as declared",
    "a register of n bits wraps in two's complement, or saturates after every addition, as declared",
    "two's complement; saturating arithmetic",
    fixed=extremes,
    drawn=cases,
)
def overflows_as_declared(register: Register, case: Case) -> None:
    start, terms = case
    got, expected = int(register.add_up(start, list(terms))), model(register, start, terms)
    if got != expected:
        broken(expected, got, start=start, terms=terms)


@law(
    Register,
    16,
    "order",
    "the order of terms does not matter where sums wrap",
    "addition modulo 2**n is commutative",
    when=lambda register: register.overflow == "wrap",
    fixed=extremes,
    drawn=cases,
)
def wrapping_ignores_order(register: Register, case: Case) -> None:
    start, terms = case
    got, expected = int(register.add_up(start, terms[::-1])), int(register.add_up(start, list(terms)))
    if got != expected:
        broken(expected, got, start=start, terms=terms[::-1])


@law(
    Register,
    16,
    "saturation has an order",
    "saturating sums depend on order: hi + 1 - 1 is hi - 1, and hi - 1 + 1 is hi",
    "saturation forgets what was cut off",
    when=lambda register: register.overflow == "saturate",
    fixed=no_example,
)
def saturating_has_an_order(register: Register, _: None) -> None:
    high = _limits(register.bits)[1]
    for terms, expected in (([1, -1], high - 1), ([-1, 1], high)):
        got = int(register.add_up(high, terms))
        if got != expected:
            broken(expected, got, start=high, terms=terms)


@law(
    Register,
    17,
    "width",
    "K * 2**(bx + bw - 2) < 2**(n - 1): no sum of K products of bx- and bw-bit codes leaves the register; "
    "with K * 2**(bx + bw - 2) = 2**(n - 1) the sum of the lowest codes does",
    "(-2**(bx - 1)) * (-2**(bw - 1)) = 2**(bx + bw - 2) is the largest product",
    fixed=lambda register: [(bx, bw) for bx in (2, 4, 8) for bw in (2, 4, 8) if bx + bw <= register.bits],
)
def bounded_sums_fit(register: Register, widths: tuple[int, int]) -> None:
    largest = 1 << (sum(widths) - 2)
    count = (1 << (register.bits - 1)) // largest
    chunk = max(1, count // 16)  # the same sum in few terms
    terms = [chunk * largest] * (count // chunk)
    safe = [*terms[:-1], terms[-1] - largest]
    got = int(register.add_up(0, safe))
    if got != sum(safe):
        broken(sum(safe), got, terms=f"{count - 1} of {largest}")
    got = int(register.add_up(0, terms))
    if got == sum(terms):
        broken("an overflow", got, terms=f"{count} of {largest}")
    _counted(register, safe, terms)


def _counted(register: Register, safe: list[int], over: list[int]) -> None:
    if register.overflows is None:
        return
    found: tuple[Any, Any] = register.overflows(0, safe), register.overflows(0, over)
    if found[0] != 0 or found[1] < 1:
        broken("0 overflows counted, then at least 1", found, terms=(safe, over))
