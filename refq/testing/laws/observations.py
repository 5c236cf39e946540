"""Laws 24 and 25: tables of codes, and ranges observed in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from refq.testing.law import broken, expect_equal
from refq.testing.registry import law, no_example
from refq.testing.subjects import CodeTable, RangeObserver

Array = Any


@law(
    CodeTable,
    24,
    "direct",
    "the table equals direct evaluation for every code",
    "a table is an evaluation done early",
    fixed=no_example,
)
def table_equals_direct(t: CodeTable, _: None) -> None:
    codes = np.arange(t.lowest, t.lowest + len(t.table))
    expect_equal(np.asarray(t.table).astype(np.int64), np.array([int(t.direct(int(c))) for c in codes]), code=codes)


@law(
    CodeTable,
    24,
    "monotone",
    "the table rises, or falls, where the function does",
    "rounding and clamping are monotone",
    when=lambda t: t.increasing is not None,
    fixed=no_example,
)
def table_is_monotone(t: CodeTable, _: None) -> None:
    steps = np.diff(np.asarray(t.table).astype(np.int64)) * (1 if t.increasing else -1)
    wrong = np.flatnonzero(steps < 0)
    if len(wrong):
        i = int(wrong[0])
        word = "at least" if t.increasing else "at most"
        broken(f"{word} {t.table[i]}, the entry before", t.table[i + 1], code=t.lowest + i + 1)


_BATCHES = (
    [[-1.0, 2.0], [3.0]],
    [[5.0], [-5.0, 1.0]],
    [[0.0], [0.0, -0.0]],
    [[1e-45], [3.4e38], [-3.4e38]],
    [[1.0, 2.0], [1.5], [-7.0, 9.0, 0.0]],
)


def batches(o: RangeObserver) -> SearchStrategy[list[list[float]]]:
    """Batches of finite numbers, none empty."""
    return st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
        min_size=1,
        max_size=4,
    )


def _observed(o: RangeObserver, data: list[Array]) -> tuple[float, float]:
    seen = None
    for x in data:
        seen = o.observe(seen, x)
    low, high = o.interval(seen)
    return float(low), float(high)


@law(
    RangeObserver,
    25,
    "covers",
    "every value seen lies in the interval",
    "Gholami et al. 2021, section III-C: min/max",
    when=lambda o: o.covers,
    fixed=lambda o: _BATCHES,
    drawn=batches,
)
def observer_covers(o: RangeObserver, values: list[list[float]]) -> None:
    data = [np.array(v, np.float32) for v in values]
    low, high = _observed(o, data)
    for x in data:
        if x.min() < low or x.max() > high:
            broken(f"an interval around [{x.min()}, {x.max()}]", (low, high), batches=values)


@law(
    RangeObserver,
    25,
    "merge",
    "observing batches in any order, or apart and merging what was seen, equals observing their concatenation",
    "minimum and maximum are associative and commutative",
    when=lambda o: not o.ordered,
    fixed=lambda o: _BATCHES,
    drawn=batches,
)
def observer_merges(o: RangeObserver, values: list[list[float]]) -> None:
    data = [np.array(v, np.float32) for v in values]
    whole = _observed(o, [np.concatenate(data)])
    for order in (data, data[::-1]):
        got = _observed(o, order)
        if got != whole:
            broken(whole, got, batches=[x.tolist() for x in order])
    if o.merge is not None:
        seen = o.observe(None, data[0])
        for x in data[1:]:
            seen = o.merge(seen, o.observe(None, x))
        low, high = o.interval(seen)
        if (float(low), float(high)) != whole:
            broken(whole, (float(low), float(high)), merged=[x.tolist() for x in data])


def plain_batches(o: RangeObserver) -> SearchStrategy[list[list[float]]]:
    """Batches of numbers that powers of two scale exactly."""
    number = st.integers(-(1 << 20), 1 << 20).map(lambda i: i / 64)
    return st.lists(st.lists(number, min_size=1, max_size=6), min_size=1, max_size=4)


@law(
    RangeObserver,
    25,
    "within",
    "the interval lies within the smallest and the largest value seen, and 0",
    "averages, percentiles and clipping narrow what was seen",
    when=lambda o: o.within,
    fixed=lambda o: _BATCHES,
    drawn=batches,
)
def observer_stays_within(o: RangeObserver, values: list[list[float]]) -> None:
    data = [np.array(v, np.float32) for v in values]
    low, high = _observed(o, data)
    least, most = min(0.0, *(float(x.min()) for x in data)), max(0.0, *(float(x.max()) for x in data))
    if low < least or high > most:
        broken(f"an interval within [{least}, {most}]", (low, high), batches=values)


@law(
    RangeObserver,
    25,
    "scale by powers of two",
    "the interval of c x is c times that of x for powers of two c",
    "a range has no unit of its own",
    when=lambda o: o.scales,
    fixed=lambda o: (_BATCHES[0], _BATCHES[4], [[0.0], [0.0]]),
    drawn=plain_batches,
)
def observer_scales(o: RangeObserver, values: list[list[float]]) -> None:
    low, high = _observed(o, [np.array(v, np.float32) for v in values])
    for c in (0.25, 8.0):
        got = _observed(o, [np.array(v, np.float32) * np.float32(c) for v in values])
        if got != (c * low, c * high):
            broken((c * low, c * high), got, c=c, batches=values)
