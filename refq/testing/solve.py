"""Accumulators solved for: exactly on a rounding tie, one below, one above, and at both clamp edges, of any rule.

Random accumulators meet a tie with probability near 0, and rounding rules differ nowhere else. A rule brings acc to
acc * k / 2**t; it has a tie at y + 1/2 where (2 y + 1) * 2**t / (2 k) is an integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil, floor

from refq.errors import RangeError
from refq.testing.oracles import ORACLES, half_up, reduced, to_24_bits

Corner = tuple[str, int]


def effective_factor(rule: str, m: int, s: int) -> tuple[int, int]:
    """The (k, t) with which a rule multiplies: acc * k / 2**t; t < 0 is a shift to the left.

    Raises
    ------
    RangeError    a rule that does not exist
    """
    if rule not in ORACLES:
        raise RangeError(f"rule={rule!r} is not one of {', '.join(ORACLES)}")
    if rule == "int64":
        return reduced(m), 15 - s
    if rule == "pow2":
        return 1, 1 - s
    return (int(to_24_bits(Fraction(m))) if rule == "float32_half_even" else m), 31 - s


def largest_accumulator(rule: str, s: int, bits: int = 32) -> int:
    """The largest accumulator of `bits` bits a rule takes at shift s: the left shift of `double` must not wrap, and
    no result passes 2**31."""
    return (1 << (bits - 1 - max(s, 0))) - 1


def accumulators_at(
    rule: str, m: int, s: int, *, bits: int = 32, low: int = -128, high: int = 127
) -> tuple[Corner, ...]:
    """Named accumulators at the corners of a rule.

    Parameters
    ----------
    rule : name of a requantizer, a key of ORACLES
    m, s : factor m * 2**(s - 31)
    bits : width of the accumulator
    low, high : codes less the zero point at which the output is clamped

    Returns
    -------
    (name, accumulator), each once, lowest accumulator first

    >>> [acc for name, acc in accumulators_at("single", 1 << 30, 0, low=-1, high=1) if name.startswith("tie at")]
    [-5, -3, -1, 1, 3, 5]
    """
    most = largest_accumulator(rule, s, bits)
    named: dict[int, str] = {}
    for name, acc in _candidates(rule, m, s, low, high, most):
        if -most - 1 <= acc <= most:
            named.setdefault(acc, name)
    return tuple(sorted(((name, acc) for acc, name in named.items()), key=lambda corner: corner[1]))


def _candidates(rule: str, m: int, s: int, low: int, high: int, most: int) -> Iterator[Corner]:
    k, t = effective_factor(rule, m, s)
    halves = sorted({2 * y + 1 for edge in (-1, 0, low, high) for y in (edge - 1, edge, edge + 1)})
    for half in halves:
        yield from _around(Fraction(half, 2) * Fraction(2) ** t / k, f"{half / 2:g}")
    yield from _exact_ties("tie", k, t, most)
    if rule == "double":
        yield from _exact_ties("first tie of double", m << max(s, 0), 31, most)
        yield from _second_ties(m, s, (-2, -1, 0, 1, low, high))
    for name, edge in (("low", low), ("high", high)):
        exact = Fraction(edge) * Fraction(2) ** t / k
        yield from ((f"{name} clamp edge", v) for v in (floor(exact) - 1, floor(exact), ceil(exact), ceil(exact) + 1))
    for name, acc in (
        ("lowest", -most - 1),
        ("next to lowest", -most),
        ("next to highest", most - 1),
        ("highest", most),
    ):
        yield f"{name} accumulator", acc
    yield from (("small accumulator", acc) for acc in (-1, 0, 1))


def _around(exact: Fraction, where: str) -> Iterable[Corner]:
    if exact.denominator == 1:
        acc = int(exact)
        return (
            (f"tie at {where}", acc),
            (f"one below the tie at {where}", acc - 1),
            (f"one above the tie at {where}", acc + 1),
        )
    return ((f"just below {where}", floor(exact)), (f"just above {where}", ceil(exact)))


def _exact_ties(name: str, k: int, t: int, most: int) -> Iterator[Corner]:
    """acc * k is an odd multiple of 2**(t - 1): so are odd multiples of the least such acc, a power of two."""
    places = t - 1 - ((k & -k).bit_length() - 1)
    if places >= 0:
        for odd in (-3, -1, 1, 3):
            if abs(odd) << places <= most:
                yield f"{name}, {odd:+d} * 2**{places}", odd * (1 << places)


def _second_ties(m: int, s: int, whole: Iterable[int]) -> Iterator[Corner]:
    """Accumulators whose doubling high multiply is an odd multiple of half a step of the division that follows."""
    right, left = max(-s, 0), max(s, 0)
    if not right:
        return
    for y in whole:
        high = (2 * y + 1) << (right - 1)
        near = floor(Fraction(high << 31, m) / (1 << left))
        for acc in (near - 1, near, near + 1, near + 2):
            if half_up((acc << left) * m, 31) == high:
                yield f"second tie of double at {y + 0.5:g}", acc
