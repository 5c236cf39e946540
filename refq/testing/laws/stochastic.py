"""Law 23: stochastic rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.testing.law import broken, expect, expect_equal
from refq.testing.laws.rounding import grid_of
from refq.testing.registry import law, no_example
from refq.testing.subjects import Quantizer

Array = Any
DRAWS = 4096
SEEDS = (0, 1, 2)


def is_stochastic(q: Quantizer) -> bool:
    """With a grid of more than the codes -1 and +1."""
    return q.is_stochastic and q.grid is not None and not q.grid.is_binary


def _steps(q: Quantizer) -> Array:
    grid = grid_of(q)
    zero = int(grid.zero_point)
    return np.unique(
        np.clip(np.array([grid.qmin - zero, -1, 0, grid.qmax - zero - 1]), grid.qmin - zero, grid.qmax - zero - 1)
    )


def _real(q: Quantizer, step: Any) -> Array:
    return (np.asarray(step, np.float64) * float(q.scale)).astype(np.float32)


def _quantize(q: Quantizer, x: Array, seed: int) -> Array:
    return np.asarray(q.quantize(x, np.random.default_rng(seed))).astype(np.int64)


@law(
    Quantizer,
    23,
    "unbiased",
    "the mean of n roundings lies within 4 sqrt(f (1 - f) / n) of the value, f its fraction",
    "Gupta et al. 2015, section 3; Gholami et al. 2021, eq. (8)",
    when=is_stochastic,
    fixed=lambda q: [(s, k, f) for s in SEEDS for k in _steps(q) for f in (1 / 16, 0.25, 0.5, 0.9)],
)
def mean_is_the_value(q: Quantizer, case: tuple[int, int, float]) -> None:
    seed, step, fraction = case
    x = np.full(DRAWS, _real(q, step + fraction))
    exact = float(x[0]) / float(q.scale)
    share = exact - np.floor(exact)
    mean = float((_quantize(q, x, seed) - int(grid_of(q).zero_point)).mean())
    bound = 4 * (share * (1 - share) / DRAWS) ** 0.5 + 2**-23 * abs(exact)
    if abs(mean - exact) > bound:
        broken(f"{exact} +- {bound}", mean, x=x[0], seed=seed, draws=DRAWS)


@law(
    Quantizer,
    23,
    "floor or ceil",
    "codes are the floor or the ceiling, and the value itself on the grid",
    "Gupta et al. 2015, section 3",
    when=is_stochastic,
    fixed=lambda q: SEEDS,
)
def floor_or_ceil(q: Quantizer, seed: int) -> None:
    grid = grid_of(q)
    steps = np.arange(grid.qmin, grid.qmax + 1) - int(grid.zero_point)
    on = _real(q, steps)
    expect_equal(_quantize(q, on, seed), steps + int(grid.zero_point), x=on, seed=seed)
    x = np.repeat(_real(q, steps[:-1] + 0.375), 8)
    got, low = _quantize(q, x, seed), np.repeat(steps[:-1], 8) + int(grid.zero_point)
    expect((got == low) | (got == low + 1), got, "the code below or above", x=x, seed=seed)


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
    x = np.resize(_real(q, _steps(q)[:, None] + np.array([0.25, 0.5, 0.75])).ravel(), (64, 6))
    whole = _quantize(q, x, 7)
    expect_equal(_quantize(q, x, 7), whole, x=x, seed=7)
    rng = np.random.default_rng(7)
    chunks = np.concatenate([np.asarray(q.quantize(part, rng)).astype(np.int64) for part in (x[:5], x[5:6], x[6:])])
    expect_equal(chunks, whole, x=x, seed=7)
    if np.array_equal(_quantize(q, x, 8), whole):
        broken("other codes of another seed", "the same 384 codes", x=x)
