"""Law 23: stochastic rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.testing.law import broken, expect, expect_equal
from refq.testing.registry import law, no_example
from refq.testing.subjects import Quantizer

Array = Any
DRAWS = 4096
SEEDS = (0, 1, 2)


def is_stochastic(q: Quantizer) -> bool:
    """With two levels or more; a grid of the codes -1 and +1 has a sign and no rounding."""
    return q.is_stochastic and not (q.grid is not None and q.grid.is_binary) and len(q.ladder) > 1


def _ladder(q: Quantizer) -> Array:
    """The levels, ascending, as exact as they are known: scale * step of a uniform grid."""
    if q.grid is None:
        return q.ladder
    return (np.arange(q.grid.qmin, q.grid.qmax + 1) - int(q.grid.zero_point)) * np.float64(q.scale)


def _steps(q: Quantizer) -> Array:
    """Numbers of levels that have one above: the ends, and on both sides of 0."""
    last, middle = len(q.ladder) - 2, int(np.searchsorted(q.ladder, 0.0))
    return np.unique(np.clip([0, middle - 1, middle, last], 0, last))


def _between(q: Quantizer, step: Any, fraction: Any) -> Array:
    """A fraction of the way from a level to the next."""
    levels = _ladder(q)
    return (levels[step] + fraction * (levels[np.asarray(step) + 1] - levels[step])).astype(np.float32)


def _quantize(q: Quantizer, x: Array, seed: int) -> Array:
    """The number of the level of every code."""
    return np.searchsorted(q.ladder, q.level(np.asarray(q.quantize(x, np.random.default_rng(seed)))))


@law(
    Quantizer,
    23,
    "unbiased",
    "the mean of n roundings lies within 4 sqrt(f (1 - f) / n) gaps of the value, f its fraction of the gap",
    "Gupta et al. 2015, section 3; Gholami et al. 2021, eq. (8)",
    when=is_stochastic,
    fixed=lambda q: [(s, k, f) for s in SEEDS for k in _steps(q) for f in (1 / 16, 0.25, 0.5, 0.9)],
)
def mean_is_the_value(q: Quantizer, case: tuple[int, int, float]) -> None:
    seed, step, fraction = case
    levels = _ladder(q)
    x, gap = np.full(DRAWS, _between(q, step, fraction)), float(levels[step + 1] - levels[step])
    share = min(max((float(x[0]) - float(levels[step])) / gap, 0.0), 1.0)
    mean = float(_quantize(q, x, seed).mean())
    bound = 4 * (share * (1 - share) / DRAWS) ** 0.5 + 2**-23 * abs(float(x[0])) / gap
    if abs(mean - step - share) > bound:
        broken(f"level {step + share} +- {bound}", f"level {mean}", x=x[0], seed=seed, draws=DRAWS)


@law(
    Quantizer,
    23,
    "floor or ceil",
    "codes are of the level below or above, and of the level itself on it",
    "Gupta et al. 2015, section 3",
    when=is_stochastic,
    fixed=lambda q: SEEDS,
)
def floor_or_ceil(q: Quantizer, seed: int) -> None:
    levels = _ladder(q)
    exact = np.flatnonzero(levels.astype(np.float32) == levels)
    on = levels[exact].astype(np.float32)
    expect_equal(_quantize(q, on, seed), exact, x=on, seed=seed)
    low = np.repeat(np.arange(len(levels) - 1), 8)
    x = _between(q, low, 0.375)
    got = _quantize(q, x, seed)
    expect((got == low) | (got == low + 1), got, "the level below or above", x=x, seed=seed)


@law(
    Quantizer,
    23,
    "seeded",
    "the same seed gives the same codes, in one piece or in chunks that share a generator; another seed others",
    "reproducibility",
    when=is_stochastic,
    fixed=no_example,
)
def seeds_decide(q: Quantizer, _: None) -> None:
    x = np.resize(_between(q, _steps(q)[:, None], np.array([0.25, 0.5, 0.75])).ravel(), (64, 6))
    whole = _quantize(q, x, 7)
    expect_equal(_quantize(q, x, 7), whole, x=x, seed=7)
    rng = np.random.default_rng(7)
    parts = (x[:5], x[5:6], x[6:])
    chunks = np.concatenate([np.searchsorted(q.ladder, q.level(np.asarray(q.quantize(part, rng)))) for part in parts])
    expect_equal(chunks, whole, x=x, seed=7)
    if np.array_equal(_quantize(q, x, 8), whole):
        broken("other codes of another seed", "the same 384 codes", x=x)
