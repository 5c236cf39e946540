"""Laws 5, 7, 10 and 11: how far a code may lie from its real, and what happens on ties."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from refq.errors import RangeError
from refq.graph import QParams
from refq.testing.corners import exact_ties
from refq.testing.law import expect, expect_equal
from refq.testing.laws.codes import around, drawn, is_deterministic
from refq.testing.registry import law, no_example
from refq.testing.subjects import Quantizer

Array = Any

MODES: dict[str, Callable[[Fraction], int]] = {
    "half_even": round,
    "half_away": lambda v: floor(v + Fraction(1, 2)) if v >= 0 else ceil(v - Fraction(1, 2)),
    "half_up": lambda v: floor(v + Fraction(1, 2)),
    "floor": floor,
    "ceil": ceil,
    "toward_zero": lambda v: floor(v) if v >= 0 else ceil(v),
}
"""The rounding modes on exact fractions."""


def is_uniform(q: Quantizer) -> bool:
    """Of a declared grid with more than the codes -1 and +1, and rounding that is a function."""
    return q.grid is not None and not q.grid.is_binary and not q.is_stochastic


def grid_of(q: Quantizer) -> QParams:
    """The grid that a uniform quantizer has."""
    if q.grid is None:
        raise RangeError(f"{q.name} is not uniform and has no grid")
    return q.grid


def ulp(x: Array) -> Array:
    """Distance of each value, as float32, to the next larger float32 magnitude."""
    with np.errstate(over="ignore"):
        size = np.minimum(np.abs(x).astype(np.float32), np.finfo(np.float32).max / 2)
    return np.spacing(size).astype(np.float64)


def ties(q: Quantizer) -> Array:
    """Exact ties inside the codes, both signs."""
    grid = grid_of(q)
    zero = int(grid.zero_point)
    return exact_ties(float(q.scale), grid.qmin - zero, grid.qmax - zero - 1)


@law(
    Quantizer,
    5,
    "nearest",
    "no level is nearer to x than D(Q(x)): on a uniform grid |x - D(Q(x))| <= S / 2 inside the range",
    "Gholami et al. 2021, eq. (2); tolerance: one unit in the last place of x",
    when=lambda q: is_deterministic(q) and q.nearest,
    fixed=around,
    drawn=drawn,
)
def nearest_level(q: Quantizer, x: Array) -> None:
    levels = q.ladder
    wide = x.astype(np.float64)
    right = np.clip(np.searchsorted(levels, wide), 1, len(levels) - 1) if len(levels) > 1 else np.zeros(x.shape, int)
    best = np.minimum(np.abs(wide - levels[right]), np.abs(wide - levels[np.maximum(right - 1, 0)]))
    got = np.abs(wide - q.fake(x).astype(np.float64))
    slack = 2 * ulp(x) + (0 if q.grid is None else ulp(levels).max())
    expect(got <= best + slack, got, "an error of at most that of the nearest level", x=x, nearest_error=best)


@law(
    Quantizer,
    5,
    "truncation",
    "|x - D(Q(x))| < S inside the range for rounding towards a side",
    "floor, ceil and truncation move by less than one step",
    when=lambda q: is_uniform(q) and q.rounding in ("floor", "ceil", "toward_zero"),
    fixed=around,
    drawn=drawn,
)
def truncation_error(q: Quantizer, x: Array) -> None:
    inside = (x >= q.reals.min()) & (x <= q.reals.max())
    x = x[inside]
    got = np.abs(x.astype(np.float64) - q.fake(x).astype(np.float64))
    expect(got <= float(q.scale) + ulp(q.reals).max(), got, f"less than S = {q.scale}", x=x)


@law(
    Quantizer,
    7,
    "mirror",
    "z = 0 and codes [-hi, hi]: Q(-x) == -Q(x), off the ties where the tie rule has a side",
    "half away and half even are odd functions, half up is not",
    when=lambda q: is_deterministic(q) and q.mirrored and q.rounding not in ("floor", "ceil"),
    fixed=around,
    drawn=drawn,
)
def mirrors_at_zero(q: Quantizer, x: Array) -> None:
    got, expected = q.fake(-x), -q.fake(x)
    everywhere = q.rounding in ("half_even", "half_away", "toward_zero")
    wide = x.astype(np.float64)
    off = np.ones(x.shape, bool)
    if not everywhere:  # the smaller and the larger candidate must differ by more than rounding does
        levels = q.ladder
        right = np.clip(np.searchsorted(levels, wide), 1, max(len(levels) - 1, 1)) if len(levels) > 1 else 0
        gap = np.abs(np.abs(wide - levels[right]) - np.abs(wide - levels[np.maximum(np.asarray(right) - 1, 0)]))
        off = gap > 8 * ulp(levels).max() + 8 * ulp(x)
    expect((got == expected) | ~off, got, expected, x=-x)


@law(
    Quantizer,
    7,
    "half up has a side",
    "z = 0 and codes [-hi, hi], half up: Q(-x) == 1 - Q(x) on every tie, so the mirror law is broken there",
    "round(v) = floor(v + 1/2)",
    when=lambda q: is_uniform(q) and q.mirrored and q.rounding == "half_up",
    fixed=lambda q: (ties(q),),
)
def half_up_has_a_side(q: Quantizer, x: Array) -> None:
    codes, mirrored = (np.asarray(q.quantize(v)).astype(np.int64) for v in (x, -x))
    expect_equal(mirrored, 1 - codes, x=-x)


@law(
    Quantizer,
    10,
    "tie table",
    "exact codes at S * (k + 1/2) for the declared rounding mode, both signs",
    "round half even: IEEE 754; half away: C round(); half up: floor(v + 1/2)",
    when=lambda q: is_uniform(q) and q.rounding is not None,
    fixed=lambda q: (ties(q),),
)
def tie_table(q: Quantizer, x: Array) -> None:
    grid = grid_of(q)
    scale, zero = Fraction(float(q.scale)), int(grid.zero_point)
    rounded = [MODES[str(q.rounding)](Fraction(float(v)) / scale) + zero for v in x]
    expected = np.clip(np.array(rounded, np.int64), grid.qmin, grid.qmax)
    expect_equal(np.asarray(q.quantize(x)).astype(np.int64), expected, x=x)


@law(
    Quantizer,
    11,
    "step",
    "Q(x + S) == Q(x) + 1 off the clamps and off the ties, x and x + S exact",
    "the grid has one step",
    when=is_uniform,
    fixed=no_example,
)
def one_step_is_one_code(q: Quantizer, _: None) -> None:
    grid = grid_of(q)
    zero = int(grid.zero_point)
    lowest = 0 if q.rounding == "toward_zero" else grid.qmin - zero + 1
    whole = np.arange(lowest, grid.qmax - zero - 1)
    if len(whole) > 512:
        whole = np.concatenate([whole[:200], whole[len(whole) // 2 - 56 : len(whole) // 2 + 56], whole[-200:]])
    wide = np.float64(q.scale) * (whole[:, None] + np.array([0, 1, 3, 5, 7]) / 8).ravel()
    there = wide + np.float64(q.scale)
    with np.errstate(over="ignore"):
        exact = (wide.astype(np.float32) == wide) & (there.astype(np.float32) == there)
    x, y = wide[exact].astype(np.float32), there[exact].astype(np.float32)
    codes, above = (np.asarray(q.quantize(v)).astype(np.int64) for v in (x, y))
    expect_equal(above, codes + 1, x=x, step=q.scale)
