"""Multipliers, shifts, and accumulators solved for."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import integer_corners
from refq.testing.solve import accumulators_at, largest_accumulator

MULTIPLIER_CORNERS = (1 << 30, (1 << 30) + 1, (1 << 31) - 1, (1 << 30) + (1 << 29), 0x7FFF0000, 0x7FFEFFFF, 0x7FFF8000)
"""Ends of the range, the middle, and those at which the 16-bit multiplier of `int64` saturates."""


def multipliers() -> SearchStrategy[int]:
    """m in [2**30, 2**31): the ends, few bits set (whose ties are exact), and any."""
    few = st.builds(lambda i, j: (1 << 30) | (1 << i) | (1 << j), st.integers(0, 29), st.integers(0, 29))
    return st.one_of(st.sampled_from(MULTIPLIER_CORNERS), few, st.integers(1 << 30, (1 << 31) - 1))


def shifts(lowest: int = -31, highest: int = 15) -> SearchStrategy[int]:
    """Every shift; > 0 is to the left."""
    return st.integers(lowest, highest)


def accumulators(rule: str, m: int, s: int, *, bits: int = 32, low: int = -128, high: int = 127) -> SearchStrategy[int]:
    """Accumulators solved to lie on, below and above ties and clamp edges of a rule, powers of two, and any; see
    `refq.testing.solve.accumulators_at`."""
    most = largest_accumulator(rule, s, bits)
    solved = {acc for _, acc in accumulators_at(rule, m, s, bits=bits, low=low, high=high)}
    table = sorted(solved | set(integer_corners(-most - 1, most)), key=abs)
    return st.one_of(st.sampled_from(table), st.integers(-most - 1, most))


@st.composite
def requantization_cases(
    draw: Any, rule: str, *, bits: int = 32, shift_range: tuple[int, int] = (-31, 15)
) -> tuple[list[int], int, int]:
    """(accumulators, m, s) of a rule, accumulators in any order."""
    m = 1 << 30 if rule == "pow2" else draw(multipliers())
    s = draw(shifts(*shift_range))
    return draw(st.lists(accumulators(rule, m, s, bits=bits), min_size=1, max_size=12)), m, s
