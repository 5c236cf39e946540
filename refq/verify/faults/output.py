"""Faults between the accumulator and the output codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refq.numerics.fixed_point import (
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
    wrap_int32,
)
from refq.numerics.requantize import single
from refq.verify.faults.hypothesis import Hypothesis, Wide, first_lane, lane_counts, wrap
from refq.verify.faults.order import of_order
from refq.verify.faults.rounding import RULES, roundings
from refq.verify.faults.sums import of_sums
from refq.verify.records import LayerRecord

Finish = Callable[[Wide], Wide]


def of_output(record: LayerRecord) -> Iterator[Hypothesis]:
    """Faults seen in the output codes of a layer of products."""
    y = record.tensors["y"]
    yield from _requantized(record)
    for fault in of_sums(record):
        yield Hypothesis(cause=fault.cause, detail=fault.detail, values=_finish(record)(fault.values))
    yield from of_order(y.values)


def _finish(record: LayerRecord) -> Finish:
    """From an accumulator to a code, as the layer does it."""
    rule = RULES.get(record.requantizer)
    low, high = record.parameters["y_low"], record.parameters["y_high"]
    zero = record.parameters.get("y_zero", 0)

    def finish(acc: Wide) -> Wide:
        if rule is None:
            return np.full(acc.shape, low - 1)
        m, s = record.tensors["multiplier"].values, record.tensors["shift"].values
        return np.clip(rule.apply(acc, m, s) + zero, low, high)

    return finish


def _requantized(record: LayerRecord) -> Iterator[Hypothesis]:
    """Faults between the accumulator and the output."""
    p, tensors = record.parameters, record.tensors
    low, high, zero = p["y_low"], p["y_high"], p.get("y_zero", 0)
    y, placed = tensors["y"], tensors["placed"].values
    whole_low, whole_high = (-(1 << (y.bits - 1)), (1 << (y.bits - 1)) - 1) if y.signed else (0, (1 << y.bits) - 1)

    def read(values: Wide) -> Wide:
        return wrap(values, y.bits) if y.signed else values & whole_high

    def clip(values: Wide) -> Wide:
        return np.clip(values, low, high)

    if "multiplier" in tensors:
        acc, m, s = tensors["acc"].values, tensors["multiplier"].values, tensors["shift"].values.astype(np.int64)
        for detail, values in roundings(acc, m, s, record.requantizer):
            yield Hypothesis(cause="rounding", detail=detail, values=clip(values + zero))
    yield Hypothesis(cause="clamp", detail="wraps instead of saturating", values=read(placed))
    bits = 40
    unsigned, low_u, high_u = (np.asarray(v, np.int64) & ((1 << bits) - 1) for v in (placed, low, high))
    for detail, at_low, at_high in (
        ("both limits compared as unsigned numbers", unsigned < low_u, unsigned > high_u),
        ("the upper limit compared as an unsigned number", placed < low, unsigned > high_u),
        ("the lower limit compared as an unsigned number", unsigned < low_u, placed > high),
    ):
        yield Hypothesis(
            cause="clamp", detail=detail, values=read(np.where(at_low, low, np.where(at_high, high, placed)))
        )
        yield Hypothesis(
            cause="clamp",
            detail=detail + ", upper limit first",
            values=read(np.where(at_high, high, np.where(at_low, low, placed))),
        )
    yield Hypothesis(cause="clamp", detail="no lower limit", values=read(np.minimum(placed, high)))
    yield Hypothesis(cause="clamp", detail="no upper limit", values=read(np.maximum(placed, low)))
    if (low, high) != (whole_low, whole_high):
        yield Hypothesis(
            cause="clamp",
            detail="limits of the code instead of those of the activation",
            values=np.clip(placed, whole_low, whole_high),
        )
        yield Hypothesis(
            cause="clamp",
            detail="lower limit of the code instead of that of the activation",
            values=np.clip(placed, whole_low, high),
        )
        yield Hypothesis(
            cause="clamp",
            detail="upper limit of the code instead of that of the activation",
            values=np.clip(placed, low, whole_high),
        )
    yield Hypothesis(cause="clamp", detail="upper limit one too high", values=read(np.clip(placed, low, high + 1)))
    past = np.where(placed > high + 1, high, np.maximum(placed, low))
    yield Hypothesis(cause="clamp", detail="one above the upper limit is let through", values=read(past))
    past = np.where(placed < low - 1, low, np.minimum(placed, high))
    yield Hypothesis(cause="clamp", detail="one below the lower limit is let through", values=read(past))
    yield Hypothesis(cause="clamp", detail="upper limit one too low", values=np.clip(placed, low, high - 1))
    yield Hypothesis(cause="clamp", detail="lower limit one too high", values=np.clip(placed, low + 1, high))
    yield Hypothesis(cause="clamp", detail="lower limit one too low", values=read(np.clip(placed, low - 1, high)))
    if zero:
        for detail, offset in (
            ("left out", -zero),
            ("added twice", zero),
            ("subtracted", -2 * zero),
            ("read as an unsigned number", (zero & 0xFF) - zero),
        ):
            yield Hypothesis(cause="zero point", detail=f"output zero point {detail}", values=clip(placed + offset))
        yield Hypothesis(
            cause="zero point",
            detail="output zero point added after the clamp",
            values=read(np.clip(placed - zero, low, high) + zero),
        )
        yield Hypothesis(
            cause="zero point",
            detail="limits applied before the output zero point is added",
            values=read(np.clip(placed - zero, low - zero, high - zero) + zero),
        )
    if "multiplier" in tensors:
        yield from _of_factors(record, clip)


def _of_factors(record: LayerRecord, clip: Finish) -> Iterator[Hypothesis]:
    """A wrong multiplier or shift."""
    rule = RULES.get(record.requantizer)
    if rule is None:
        return
    acc, zero = record.tensors["acc"].values, record.parameters.get("y_zero", 0)
    m = record.tensors["multiplier"].values
    s = record.tensors["shift"].values.astype(np.int64)

    def result(multiplier: Any, shift: Any) -> Wide:
        return clip(rule.apply(acc, multiplier, np.clip(shift, -31, 30)) + zero)

    for detail, shift in (
        ("one place too far to the right", s - 1),
        ("one place too far to the left", s + 1),
        ("to the left one place too far", np.where(s > 0, s + 1, s)),
        ("to the right one place too far", np.where(s < 0, s - 1, s)),
        ("to the right one place too far, also where there is none", np.where(s <= 0, s - 1, s)),
        ("to the left one place short", np.where(s > 0, s - 1, s)),
        ("to the right one place short", np.where(s < 0, s + 1, s)),
        ("left shift left out", np.minimum(s, 0)),
        ("right shift left out", np.maximum(s, 0)),
        ("of the wrong sign", -s),
        ("of channel 0 for every channel", np.full_like(s, s[0])),
        ("of the channel before", np.roll(s, 1)),
        ("of the channel after", np.roll(s, -1)),
    ):
        words = detail if "shift" in detail else f"shift {detail}"
        yield Hypothesis(cause="shift", detail=words, values=result(m, shift))
    for detail, multiplier, shift in (
        ("multiplier of channel 0 for every channel", np.full_like(m, m[0]), s),
        *(
            (f"{words} of the first of {lanes} lanes", *pair)
            for lanes in lane_counts(len(m))
            for words, pair in (
                ("multiplier", (first_lane(m, lanes), s)),
                ("shift", (m, first_lane(s, lanes))),
                ("multiplier and shift", (first_lane(m, lanes), first_lane(s, lanes))),
            )
        ),
        *(
            (f"{words} of the first {lanes} channels for every group of {lanes}", *pair)
            for lanes in lane_counts(len(m))
            for words, pair in (
                ("multiplier", (np.resize(m[:lanes], len(m)), s)),
                ("shift", (m, np.resize(s[:lanes], len(m)))),
                ("multiplier and shift", (np.resize(m[:lanes], len(m)), np.resize(s[:lanes], len(m)))),
            )
        ),
        ("multiplier of the channel before", np.roll(m, 1), s),
        ("multiplier of the channel after", np.roll(m, -1), s),
        ("multiplier and shift of channel 0 for every channel", np.full_like(m, m[0]), np.full_like(s, s[0])),
        ("multiplier and shift of the channel before", np.roll(m, 1), np.roll(s, 1)),
        ("multiplier and shift of the channel after", np.roll(m, -1), np.roll(s, -1)),
        ("multiplier and shift of the channels in reverse order", m[::-1], s[::-1]),
        ("lowest bit of the multiplier lost", m & ~np.asarray(1, m.dtype), s),
        ("low half of the multiplier lost", m >> 16 << 16, s),
    ):
        cause = "shift" if detail.startswith("shift") else "multiplier"
        yield Hypothesis(cause=cause, detail=detail, values=result(multiplier, shift))
    if record.requantizer == "double":
        left, right = np.maximum(s, 0), np.maximum(-s, 0)
        twice = rounding_divide_by_power_of_two(single.apply(wrap_int32(acc << left), m, np.minimum(s, 0)), right)
        yield Hypothesis(cause="shift", detail="right shift applied at both roundings", values=clip(twice + zero))
        raised = np.clip(acc << left, -(1 << 31), (1 << 31) - 1)
        values = rounding_divide_by_power_of_two(saturating_rounding_doubling_high_multiply(raised, m), right)
        yield Hypothesis(cause="shift", detail="left shift saturates instead of wrapping", values=clip(values + zero))
        high = saturating_rounding_doubling_high_multiply(wrap_int32(acc << left), m)
        logical = ((high & 0xFFFFFFFF) >> right) + (rounding_divide_by_power_of_two(high, right) - (high >> right))
        yield Hypothesis(cause="sign extension", detail="right shift fills in zeros", values=clip(logical + zero))
    unsigned = acc & 0xFFFFFFFF
    values = np.where(acc < 0, clip(rule.apply(unsigned, m, s) + zero), clip(rule.apply(acc, m, s) + zero))
    yield Hypothesis(cause="sign extension", detail="accumulator read as an unsigned number", values=values)
