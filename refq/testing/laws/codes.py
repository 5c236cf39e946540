"""Laws 1-4 and 6: codes, their round trip, order, and zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import real_corners
from refq.testing.law import broken, expect, expect_equal
from refq.testing.registry import law, no_example
from refq.testing.strategies import reals_of
from refq.testing.subjects import BlockQuantizer, Quantizer

Array = Any


def around(q: Quantizer) -> tuple[Array]:
    """The corner table of a quantizer's own levels: for at most 8 bits every level and every tie."""
    return (real_corners(q.ladder),)


def drawn(q: Quantizer) -> SearchStrategy[Array]:
    """Tensors drawn around the levels."""
    return reals_of(q.ladder)


def is_deterministic(q: Quantizer) -> bool:
    """Codes follow from the reals alone."""
    return not q.is_stochastic


@law(
    Quantizer,
    1,
    "range",
    "lo <= Q(x) <= hi for finite x",
    "Gholami et al. 2021, eq. (2) with clipping",
    when=is_deterministic,
    fixed=around,
    drawn=drawn,
)
def codes_in_range(q: Quantizer, x: Array) -> None:
    got = np.asarray(q.quantize(x))
    place = np.minimum(np.searchsorted(q.codes, got), len(q.codes) - 1)
    expect(q.codes[place] == got, got, f"an integer in [{q.codes[0]}, {q.codes[-1]}]", x=x)


@law(
    Quantizer,
    1,
    "infinities",
    "infinities saturate: D(Q(+-inf)) is the outermost level, as of the largest float32",
    "ONNX QuantizeLinear: saturate",
    when=lambda q: is_deterministic(q) and q.monotone,
    fixed=no_example,
)
def infinities_saturate(q: Quantizer, _: None) -> None:
    ends = np.array([-np.inf, np.inf], np.float32)
    expect_equal(q.fake(ends).astype(np.float64), np.array([q.reals.min(), q.reals.max()]), x=ends)


@law(
    Quantizer,
    1,
    "not-a-number",
    "NaN is quantized as 0, or refused, as declared",
    "integer arithmetic has no NaN: the choice must be stated",
    when=lambda q: is_deterministic(q) and q.nan != "unspecified",
    fixed=no_example,
)
def nan_as_declared(q: Quantizer, _: None) -> None:
    x = np.array([np.nan], np.float32)
    if q.nan == "zero":
        expect_equal(q.quantize(x), q.quantize(np.zeros(1, np.float32)), x=x)
        return
    try:
        got = q.quantize(x)
    except (ValueError, ArithmeticError):
        return
    broken("an exception", got, x=x)


@law(
    Quantizer,
    2,
    "round trip",
    "Q(D(q)) == q for every code; codes of one level may change among themselves",
    "levels lie on their own grid",
    when=lambda q: is_deterministic(q) and q.recovers,
    fixed=lambda q: (q.codes,),
)
def codes_round_trip(q: Quantizer, codes: Array) -> None:
    reals = q.level(codes)
    again = np.asarray(q.quantize(reals)).astype(np.int64)
    back = q.level(again)
    if len(np.unique(reals)) == len(reals):
        expect_equal(again, codes, x=reals, code=codes)
    expect_equal(back, reals, code=codes)


@law(
    Quantizer,
    3,
    "idempotent",
    "FQ(FQ(x)) == FQ(x) bit for bit",
    "projection onto the levels",
    when=lambda q: is_deterministic(q) and q.recovers,
    fixed=around,
    drawn=drawn,
)
def fake_is_idempotent(q: Quantizer, x: Array) -> None:
    once = q.fake(x)
    expect_equal(q.fake(once), once, x=x)


@law(
    BlockQuantizer,
    3,
    "idempotent",
    "FQ(FQ(x)) == FQ(x) bit for bit",
    "projection onto the levels",
    when=lambda q: all(part.recovers for _, part in q.parts),
    drawn=lambda q: reals_of(np.concatenate([part.reals for _, part in q.parts]), q.shape),
)
def blocks_are_idempotent(q: BlockQuantizer, x: Array) -> None:
    once = np.asarray(q.dequantize(q.quantize(x)))
    expect_equal(np.asarray(q.dequantize(q.quantize(once))), once, x=x)


@law(
    Quantizer,
    4,
    "monotone",
    "x <= y => D(Q(x)) <= D(Q(y))",
    "Gholami et al. 2021, eq. (6): levels and thresholds ascend",
    when=lambda q: is_deterministic(q) and q.monotone,
    fixed=around,
    drawn=drawn,
)
def quantizer_is_monotone(q: Quantizer, x: Array) -> None:
    x = np.sort(x)
    levels = q.fake(x)
    falls = np.flatnonzero(levels[1:] < levels[:-1])
    if len(falls):
        i = int(falls[0])
        broken(f"at least {levels[i]}, the level of {x[i]}", levels[i + 1], x=x[i], y=x[i + 1])


@law(
    Quantizer,
    6,
    "zero",
    "D(Q(0)) == 0 where 0 is a level, and Q(0) == z on a uniform grid; padding uses z",
    "Jacob et al. 2018, section 2.1: 0 must be exactly representable",
    when=lambda q: bool(np.any(q.reals == 0)),
    fixed=no_example,
)
def zero_is_exact(q: Quantizer, _: None) -> None:
    zeros = np.array([0.0, -0.0], np.float32)
    codes = np.asarray(q.quantize(zeros, np.random.default_rng(0)) if q.is_stochastic else q.quantize(zeros))
    expect_equal(q.level(codes), np.zeros(2), x=zeros)
    if q.grid is not None:
        expect_equal(codes.astype(np.int64), np.full(2, int(q.grid.zero_point)), x=zeros)
