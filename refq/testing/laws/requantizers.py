"""Laws 4, 10, 14, 15 and 16 of requantizers: equal to big integers, ties included, and clamped, never wrapped."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.testing.law import broken, expect, expect_equal
from refq.testing.oracles import ORACLES, single
from refq.testing.registry import law
from refq.testing.solve import accumulators_at
from refq.testing.strategies import requantization_cases
from refq.testing.strategies.requantization import MULTIPLIER_CORNERS
from refq.testing.subjects import MultiplierRule, OutputStage, RequantizeFunction

Case = tuple[list[int], int, int]


def solved(f: RequantizeFunction) -> Iterator[Case]:
    """Every shift with every corner multiplier, at the accumulators solved for."""
    for s in range(f.shifts[0], min(f.shifts[1], 7 if f.rule == "int64" else 15) + 1):
        for m in MULTIPLIER_CORNERS if f.rule != "pow2" else (1 << 30,):
            yield [acc for _, acc in accumulators_at(f.rule, m, s, bits=f.bits)], m, s


def drawn(f: RequantizeFunction) -> SearchStrategy[Case]:
    """Cases of the function's rule."""
    highest = min(f.shifts[1], 7) if f.rule == "int64" else f.shifts[1]
    return requantization_cases(f.rule, bits=f.bits, shift_range=(f.shifts[0], highest))


def _apply(f: RequantizeFunction, acc: list[int], m: int, s: int) -> Any:
    return np.asarray(f.apply(np.array(acc, np.int64), m, s)).astype(np.int64)


@law(
    RequantizeFunction,
    14,
    "big integers",
    "equals its rule evaluated on integers without width, at ties, clamp edges and extremes",
    "Jacob et al. 2018, section 2.2; gemmlowp; `refq.testing.oracles`",
    fixed=solved,
    drawn=drawn,
)
def equals_big_integers(f: RequantizeFunction, case: Case) -> None:
    acc, m, s = case
    expected = np.array([ORACLES[f.rule](a, m, s) for a in acc], np.int64)
    expect_equal(_apply(f, acc, m, s), expected, acc=np.array(acc), m=m, s=s)


@law(
    RequantizeFunction,
    14,
    "double near single",
    "|double - single| <= 1 for shifts to the right",
    "two roundings add at most half a step to one",
    when=lambda f: f.rule == "double",
    fixed=lambda f: (case for case in solved(f) if case[2] <= 0),
    drawn=lambda f: requantization_cases("double", bits=f.bits, shift_range=(f.shifts[0], 0)),
)
def double_is_near_single(f: RequantizeFunction, case: Case) -> None:
    acc, m, s = case
    got, other = _apply(f, acc, m, s), np.array([single(a, m, s) for a in acc])
    expect(np.abs(got - other) <= 1, got, other, acc=np.array(acc), m=m, s=s)


@law(
    RequantizeFunction,
    4,
    "monotone",
    "a <= b => R(a) <= R(b)",
    "rounding is monotone, and so is a product with a positive factor",
    fixed=solved,
    drawn=drawn,
)
def requantizer_is_monotone(f: RequantizeFunction, case: Case) -> None:
    acc, m, s = sorted(case[0]), case[1], case[2]
    y = _apply(f, acc, m, s)
    falls = np.flatnonzero(np.diff(y) < 0)
    if len(falls):
        i = int(falls[0])
        broken(f"at least {y[i]}, the result of {acc[i]}", y[i + 1], acc=acc[i + 1], m=m, s=s)


_UP = {0: (-1, 0, 1, 2), -1: (0, 0, 0, 1)}
_AWAY = {0: (-2, -1, 1, 2), -1: (-1, 0, 0, 1)}
_EVEN = {0: (-2, 0, 0, 2), -1: (0, 0, 0, 0)}
HALVES = {
    "double": {0: (-1, 0, 1, 2), -1: (-1, 0, 1, 1)},
    "single": _UP,
    "int64": _UP,
    "pow2": _UP,
    "single_away": _AWAY,
    "dyadic": _EVEN,
    "float32_half_even": _EVEN,
}
"""Rule -> shift -> results, written by hand; LiteRT's kernels measure the same for double, single_away and int64."""


@law(
    RequantizeFunction,
    10,
    "tie table",
    "results at exact halves: M = 1/2 and acc = -3, -1, 1, 3; M = 1/4 and acc = -2, -1, 1, 2",
    "half up, half away, half even by hand; `double` rounds 1/4 twice",
    when=lambda f: f.shifts[0] <= -1,
    fixed=lambda f: ((0, (-3, -1, 1, 3)), (-1, (-2, -1, 1, 2))),
)
def tie_table(f: RequantizeFunction, example: tuple[int, tuple[int, ...]]) -> None:
    s, acc = example
    expect_equal(_apply(f, list(acc), 1 << 30, s), np.array(HALVES[f.rule][s]), acc=np.array(acc), m=1 << 30, s=s)


_REALS = sorted(
    {
        x * 2.0**e
        for e in range(-31, 30)
        for x in (1.0, 1.0 + 2**-52, 1.5, 2.0 - 2**-30, 2.0 - 2**-31, 2.0 - 2**-32, 2.0 - 2**-52, 4 / 3)
    }
)


@law(
    MultiplierRule,
    15,
    "multiplier",
    "m in [2**30, 2**31), relative error at most 2**-31; M = 2**k gives m = 2**30 exactly",
    "Jacob et al. 2018, eq. (6)",
    fixed=lambda rule: _REALS,
    drawn=lambda rule: st.builds(lambda m, e: m * 2.0**e, st.floats(1, 2, exclude_max=True), st.integers(-31, 29)),
)
def multiplier_is_normal_and_near(rule: MultiplierRule, real: float) -> None:
    m, s = (int(v) for v in rule.split(real))
    if not 1 << 30 <= m < 1 << 31:
        broken("m in [2**30, 2**31)", f"m = {m}, s = {s}", real=real)
    error = abs(Fraction(m) * Fraction(2) ** (s - 31) / Fraction(real) - 1)
    if error > Fraction(1, 1 << 31):
        broken("a relative error of at most 2**-31", f"{float(error)} with m = {m}, s = {s}", real=real)
    if np.frexp(real)[0] == 0.5 and m != 1 << 30:
        broken("m = 2**30", f"m = {m}", real=real)


STAGES = (
    (0, -128, 127),
    (-128, -128, 127),
    (127, -128, 127),
    (128, 0, 255),
    (3, -127, 127),
    (0, -8, 7),
    (0, -32768, 32767),
)
"""Zero points at their limits with the codes of common grids."""


@law(
    OutputStage,
    16,
    "outputs saturate",
    "codes are clamped to [qmin, qmax] after the zero point is added, and never wrap",
    "Jacob et al. 2018, section 2.4",
    fixed=lambda f: ((m, s, stage) for stage in STAGES for m in MULTIPLIER_CORNERS[:3] for s in (-24, -8, -1, 0, 3)),
)
def outputs_saturate(f: OutputStage, case: tuple[int, int, tuple[int, int, int]]) -> None:
    m, s, (zero, low, high) = case
    if f.rule == "pow2":
        m = 1 << 30
    acc = [a for _, a in accumulators_at(f.rule, m, s, low=low - zero, high=high - zero)]
    got = np.asarray(f.apply(np.array(acc, np.int64), m, s, zero, low, high)).astype(np.int64)
    expected = np.array([min(max(ORACLES[f.rule](a, m, s) + zero, low), high) for a in acc], np.int64)
    expect_equal(got, expected, acc=np.array(acc), m=m, s=s, zero_point=zero, qmin=low, qmax=high)
