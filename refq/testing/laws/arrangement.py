"""Laws 8, 9, 12 and 13: scales, zero points, parts, and memory do not matter more than they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.testing.corners import real_corners
from refq.testing.law import expect, expect_equal
from refq.testing.laws.codes import around, drawn, is_deterministic
from refq.testing.registry import law, no_example
from refq.testing.strategies import reals_of
from refq.testing.subjects import BlockQuantizer, Quantizer, VectorQuantizer

Array = Any
_NORMAL = float(np.finfo(np.float32).tiny)


@law(
    Quantizer,
    8,
    "scale by powers of two",
    "Q(c x; c S) == Q(x; S) for powers of two c",
    "floating point scales exactly by powers of two",
    when=lambda q: is_deterministic(q) and q.rescaled is not None,
    fixed=around,
    drawn=drawn,
)
def powers_of_two_scale(q: Quantizer, x: Array) -> None:
    for c in (0.25, 8.0):
        with np.errstate(over="ignore", under="ignore"):
            moved = x * np.float32(c)
        exact = np.isfinite(moved) & ((np.abs(moved) >= _NORMAL) | (x == 0)) & ((np.abs(x) >= _NORMAL) | (x == 0))
        kept, there = x[exact], moved[exact]
        if q.rescaled is not None:
            expect_equal(q.rescaled(c).quantize(there), q.quantize(kept), x=kept, c=c)


@law(
    Quantizer,
    8,
    "scale by any factor",
    "Q(c x; c S) == Q(x; S) for any c > 0 off the ties",
    "codes depend on x / S alone",
    when=lambda q: is_deterministic(q) and q.rescaled is not None and q.grid is not None and not q.grid.is_binary,
    fixed=no_example,
)
def any_factor_scales(q: Quantizer, _: None) -> None:
    if q.rescaled is None or q.grid is None:
        return
    steps = np.arange(q.grid.qmin - 2, q.grid.qmax + 3) - int(q.grid.zero_point)
    steps = steps[np.abs(steps) < 1 << 12]
    for c in (3.0, 0.7, 1.1):
        other = q.rescaled(c)
        for part in (0.125, 0.375, 0.75):
            wide = (steps + part).astype(np.float64)
            x, y = ((wide * float(v.scale)).astype(np.float32) for v in (q, other))
            expect_equal(other.quantize(y), q.quantize(x), x=x, c=c)


@law(
    Quantizer,
    9,
    "zero point shifts",
    "changing z by d shifts unclamped codes by d",
    "Jacob et al. 2018, eq. (1): real = S (q - z)",
    when=lambda q: is_deterministic(q) and q.shifted is not None and q.grid is not None and len(q.codes) > 2,
    fixed=around,
    drawn=drawn,
)
def zero_point_shifts_codes(q: Quantizer, x: Array) -> None:
    if q.shifted is None or q.grid is None:
        return
    low, high, zero = q.grid.qmin, q.grid.qmax, int(q.grid.zero_point)
    for d in sorted({1, -1, high - zero, low - zero}):
        if d and low <= zero + d <= high:
            codes = np.asarray(q.quantize(x)).astype(np.int64)
            got = np.asarray(q.shifted(d).quantize(x)).astype(np.int64)
            free = (codes > low) & (codes < high) & (codes + d > low) & (codes + d < high)
            expect((got == codes + d) | ~free, got, codes + d, x=x, d=d)


def block_reals(q: BlockQuantizer) -> SearchStrategy[Array]:
    """Tensors of the one shape, drawn around the levels of all parts."""
    return reals_of(np.concatenate([part.reals for _, part in q.parts]), q.shape)


def block_corners(q: BlockQuantizer) -> tuple[Array]:
    """One tensor whose parts hold the corners of their own levels."""
    x = np.zeros(q.shape, np.float32)
    for index, part in q.parts:
        x[index] = np.resize(real_corners(part.reals), x[index].shape)
    return (x,)


@law(
    BlockQuantizer,
    12,
    "parts",
    "quantizing by channel, group or block equals quantizing every part by its own grid",
    "Gholami et al. 2021, section III-E",
    fixed=block_corners,
    drawn=block_reals,
)
def parts_are_independent(q: BlockQuantizer, x: Array) -> None:
    codes, reals = np.asarray(q.quantize(x)), np.asarray(q.dequantize(q.quantize(x)))
    for index, part in q.parts:
        expect_equal(codes[index], part.quantize(x[index]), x=x[index], part=index)
        expect_equal(reals[index], part.dequantize(codes[index]), x=x[index], part=index)


@law(
    BlockQuantizer,
    12,
    "channel permutation",
    "quantizing permuted channels permutes the codes",
    "channels know nothing of each other",
    when=lambda q: q.permuted is not None,
    fixed=block_corners,
    drawn=block_reals,
)
def channels_permute(q: BlockQuantizer, x: Array) -> None:
    order = np.roll(np.arange(q.shape[q.axis]), 1)
    if q.permuted is not None:
        got = q.permuted(order).quantize(np.take(x, order, q.axis))
        expect_equal(got, np.take(np.asarray(q.quantize(x)), order, q.axis), x=x, order=order)


@law(
    Quantizer,
    13,
    "arrangement",
    "reshaping, transposing, slicing and memory order commute with Q, and chunks give the codes of the whole",
    "an element's code depends on the element alone",
    when=is_deterministic,
    fixed=around,
    drawn=drawn,
)
def arrangement_does_not_matter(q: Quantizer, x: Array) -> None:
    x = np.resize(x, 2 * (len(x) // 2 + 1))
    whole = np.asarray(q.quantize(x))
    square = x.reshape(2, -1)
    forms = {
        "reshaped": (np.asarray(q.quantize(square)).reshape(-1), whole),
        "transposed": (np.asarray(q.quantize(square.T)), whole.reshape(2, -1).T),
        "Fortran order": (np.asarray(q.quantize(np.asfortranarray(square))), whole.reshape(2, -1)),
        "every second, backwards": (np.asarray(q.quantize(x[::-2])), whole[::-2]),
        "in two chunks": (np.concatenate([q.quantize(x[:1]), q.quantize(x[1:])]), whole),
        "one element": (np.asarray(q.quantize(x[0])), whole[0]),
    }
    for name, (got, expected) in forms.items():
        expect_equal(got, expected, arrangement=name, x=x)


def vectors(q: VectorQuantizer) -> SearchStrategy[Array]:
    """Some vectors around the codewords, no coordinate far out, where distances in float32 say nothing."""
    table = codeword_vectors(q)
    shape = st.integers(1, 5).map(lambda n: (n, q.dims))
    reach = 2 * np.abs(table).max() + 1
    return reals_of(np.unique(table), shape).map(lambda x: np.clip(x, -reach, reach).astype(np.float32))


def codeword_vectors(q: VectorQuantizer) -> Array:
    """Vector i holds codeword i of every subspace, as far as there is one."""
    rows = np.arange(max(q.counts))[:, None]
    return np.asarray(q.decode(np.minimum(rows, np.array(q.counts) - 1)))


@law(
    VectorQuantizer,
    2,
    "round trip",
    "encode(decode(codes)) decodes to the same vectors, for every codeword of every subspace",
    "a codeword is nearest to itself",
    when=lambda q: q.recovers,
    fixed=lambda q: (codeword_vectors(q),),
)
def codewords_round_trip(q: VectorQuantizer, x: Array) -> None:
    expect_equal(q.decode(q.encode(x)), x, x=x)


@law(
    VectorQuantizer,
    1,
    "range",
    "every code names a codeword",
    "Jegou, Douze, Schmid 2011, section II",
    drawn=vectors,
)
def codes_name_codewords(q: VectorQuantizer, x: Array) -> None:
    codes = np.asarray(q.encode(x)).astype(np.int64)
    expect((codes >= 0) & (codes < np.array(q.counts)), codes, f"codes below {q.counts}", x=x)


@law(
    VectorQuantizer,
    5,
    "nearest",
    "no vector of equal codewords in all subspaces is nearer than D(Q(x)), up to float32 rounding",
    "Jegou, Douze, Schmid 2011, eq. (1)",
    when=lambda q: q.nearest,
    drawn=vectors,
)
def nearest_codeword(q: VectorQuantizer, x: Array) -> None:
    table = codeword_vectors(q).astype(np.float64)
    got = ((x - np.asarray(q.decode(q.encode(x)), np.float64)) ** 2).sum(-1)
    best = ((x[:, None].astype(np.float64) - table) ** 2).sum(-1).min(-1)
    size = (x.astype(np.float64) ** 2).sum(-1) + (table**2).sum(-1).max()
    expect(got <= best + 1e-5 * size, got, best, row=np.arange(len(x)))


@law(
    VectorQuantizer,
    5,
    "nearest of a stage",
    "no other codeword of a stage is nearer to what the stages before leave over, up to float32 rounding",
    "Gong et al. 2014, section 3.4; Chen, Guan, Wang 2010, section 3",
    when=lambda q: q.partial is not None,
    fixed=lambda q: (codeword_vectors(q),),
    drawn=vectors,
)
def nearest_of_a_stage(q: VectorQuantizer, x: Array) -> None:
    partial = cast(Callable[[Array, int], Array], q.partial)
    codes = np.asarray(q.encode(x)).astype(np.int64)
    whole = np.asarray(partial(codes, q.stages), np.float64)
    data = np.zeros((len(x), whole[0].size))
    data[:, : q.dims] = x
    data = data.reshape(whole.shape)
    for stage in range(q.stages):

        def error(trial: Array, stages: int = stage + 1) -> Array:
            return ((data - np.asarray(partial(trial, stages), np.float64)) ** 2).sum(-1)

        got, columns = error(codes), np.arange(stage, codes.shape[1], q.stages)
        for k in range(max(q.counts)):
            trial = codes.copy()
            trial[:, columns] = np.minimum(k, np.array(q.counts)[columns] - 1)
            size = (data**2).sum(-1) + got
            expect(got <= error(trial) + 1e-5 * size, got, error(trial), stage=stage, codeword=k)


@law(
    VectorQuantizer,
    13,
    "rows",
    "the code of a vector does not depend on the other rows, nor on memory order",
    "vectors are quantized one by one",
    drawn=vectors,
)
def rows_are_independent(q: VectorQuantizer, x: Array) -> None:
    whole = np.asarray(q.encode(x))
    expect_equal(np.concatenate([q.encode(row[None]) for row in x]), whole, x=x)
    expect_equal(q.encode(np.asfortranarray(x)), whole, x=x)
    expect_equal(q.encode(x[::-1]), whole[::-1], x=x)
