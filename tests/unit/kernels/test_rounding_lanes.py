"""Vector rounding and depthwise words equal the integer rules, with and without the instructions they prefer."""

import numpy as np
import pytest

from refq.kernels import cpu
from refq.numerics import double, single, single_away

if not cpu.has_instructions():
    pytest.skip("the interpreter emits no instructions", allow_module_level=True)

from numba import njit

from refq.kernels import depthwise_lanes, lanes, rounding_lanes

RULES = (double, single, single_away, double, single)
"""By the number of the kernels' form; the last two take right shifts only, the fourth no code below the zero point."""


@pytest.fixture(params=["preferred", "plain"])
def instructions(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(rounding_lanes, "available", tuple)
        monkeypatch.setattr(depthwise_lanes, "available", tuple)
        monkeypatch.setattr(depthwise_lanes, "features", frozenset)


def accumulators(rng, m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Sums near ties of both signs, zero, small ones, and the ends of what kernels are given: see `Double`."""
    most = 2**31 - 1 - (1 << s >> 1)
    ties = ((2 * rng.integers(-40, 40, (37, 16)) + 1) << (s + 30)) // np.maximum(m, 1) + rng.integers(-1, 2, (37, 16))
    wide = rng.integers(-most, most, (10, 16))
    small = rng.integers(-300, 300, (10, 16))
    ends = np.stack([0 * most, -most, most])
    return np.concatenate([np.clip(ties, -most, most), wide, small, ends]).astype(np.int32)


@pytest.mark.parametrize("rule", range(5), ids=[*(rule.name for rule in RULES[:3]), "double above zero", "upper"])
@pytest.mark.parametrize("count", [16, 5])
def test_codes_round_as_the_rule_says(rule, count, instructions):
    emit = lanes.requantize_lanes.__wrapped__(rule)

    @njit
    def rows(acc, constants, zero, low, high, y):
        at = constants.ctypes.data
        emit(acc.ctypes.data, 64, len(acc), at, at + 64, at + 128, zero, low, high, y.ctypes.data, y.shape[1], count)

    rng = np.random.default_rng(rule)
    for trial in range(20):
        m, s = rng.integers(1 << 30, 1 << 31, 16), rng.integers(0, 32, 16)
        if trial % 2:
            m, s = np.where(rng.random(16) < 0.5, 1 << 30, m), rng.integers(0, 4, 16)
        m[3] = 0
        if rule > 2:
            s = np.maximum(s, 1)
        zero, low, high = (int(v) for v in (rng.integers(-128, 128), rng.integers(-128, 0), rng.integers(0, 128)))
        low = zero if rule == 3 else low
        high = max(high, low)
        acc = accumulators(rng, m, s)[: 60 - trial % 4]
        constants = np.stack([np.zeros(16), m, s]).astype(np.int32)
        y = np.full((len(acc), count + 1), 99, np.int8)
        rows(acc, constants, zero, low, high, y)
        steps = RULES[rule].apply(acc.astype(np.int64), m, -s)
        np.testing.assert_array_equal(y[:, :count], np.clip(steps + zero, low, high)[:, :count])
        assert (y[:, count:] == 99).all()


@pytest.mark.parametrize("rows", [1, 3, 4, 7])
def test_depthwise_words_multiply_four_rows_at_once(rows, instructions):
    turn, multiply = (lanes_of._defn for lanes_of in (depthwise_lanes.tap_lanes, depthwise_lanes.depthwise_lanes))
    from numba.extending import intrinsic

    turn, multiply = intrinsic(turn), intrinsic(multiply)

    @njit
    def run(x, order, words, w, offsets, acc):
        for i in range(len(words)):
            turn(x[i].ctypes.data, 16, x.shape[1], order.ctypes.data, words[i].ctypes.data)
        multiply(words.ctypes.data, 64, len(acc) - 3, offsets.ctypes.data, len(offsets), w.ctypes.data, acc.ctypes.data)

    rng = np.random.default_rng(rows)
    taps = 3
    x = rng.integers(0, 256, (rows + taps - 1, 2, 16)).astype(np.uint8)
    w = np.zeros((taps, 16, 4), np.int8)
    w[:, :, :2] = rng.integers(-128, 128, (taps, 16, 2))
    words, acc = np.zeros((len(x), 64), np.uint8), np.zeros((rows + 3, 16), np.int32)
    run(x, np.array(depthwise_lanes.COLUMN_ORDER, np.uint8), words, w, 64 * np.arange(taps), acc)
    expected = [
        [sum(int(x[r + t, i, c]) * int(w[t, c, i]) for t in range(taps) for i in range(2)) for c in range(16)]
        for r in range(rows)
    ]
    np.testing.assert_array_equal(acc[:rows], expected)


@pytest.mark.parametrize("rule", range(3), ids=[rule.name for rule in RULES[:3]])
def test_differences_keep_the_last_bit_of_the_aligned_operand(rule, instructions):
    """d * 2**19 less d * (2**30 + x) / 2**11, rounded, has the size of x / 2**11: every rounding shows in a code."""
    emit = lanes.sum_lanes.__wrapped__(rule, rule, True)

    @njit
    def difference(a, b, settings, y):
        emit(a.ctypes.data, b.ctypes.data, settings.ctypes.data, 20, 0, -128, 127, y.ctypes.data, len(y))

    d = np.arange(-128, 128).astype(np.int8)
    for x in (1, 777, 1024, 1025):
        m, last = (1 << 30) + x, (1 << 31) - 1
        y = np.zeros(256, np.int8)
        difference(d, d, np.array([0, 1 << 19, 0, m, 0, last, 0, -1], np.int32), y)
        wide, none = d.astype(np.int64), np.int64(0)
        other = RULES[rule].apply(wide << 20, np.int64(m), none)
        expected = np.clip(RULES[rule].apply((wide << 19) - other, np.int64(last), none), -128, 127)
        np.testing.assert_array_equal(y, expected)
        assert len(set(y)) > 1 or x < 8
