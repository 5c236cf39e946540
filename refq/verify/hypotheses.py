"""Ways in which a datapath goes wrong, each as the values it would give instead of the right ones.

A diagnosis compares what hardware gave with every hypothesis; the one that reproduces it names the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.layers.windows import pad_image, patches
from refq.numerics.fixed_point import (
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_multiply,
    wrap_int32,
)
from refq.numerics.requantize import double, dyadic, single, single_away
from refq.verify.golden import LayerRecord

Wide = NDArray[np.int64]
Finish = Callable[[Wide], Wide]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A cause and what it would give.

    cause : class of the fault, one of `CAUSES`
    detail : the fault in words
    values : what hardware with this fault gives, in the shape of the tensor
    """

    cause: str
    detail: str
    values: NDArray[Any]


CAUSES = (
    "rounding",
    "clamp",
    "zero point",
    "shift",
    "multiplier",
    "bias",
    "accumulator width",
    "sign extension",
    "padding",
    "dropped terms",
    "stale accumulator",
    "operand order",
    "order of results",
    "timing",
    "unknown value",
    "missing results",
)


def wrap(values: Wide, bits: int) -> Wide:
    """Two's complement of `bits` bits."""
    half = np.int64(1) << (bits - 1)
    return ((values + half) & ((np.int64(1) << bits) - 1)) - half


def of_output(record: LayerRecord) -> Iterator[Hypothesis]:
    """Faults seen in the output codes of a layer of products."""
    y = record.tensors["y"]
    yield from _requantized(record)
    for fault in of_sums(record):
        yield Hypothesis(cause=fault.cause, detail=fault.detail, values=_finish(record)(fault.values))
    yield from of_order(y.values)


def of_sums(record: LayerRecord) -> Iterator[Hypothesis]:
    """Faults seen in the accumulators, bias included."""
    acc = record.tensors["acc"].values
    yield from _of_bias(record, acc)
    yield from _of_operands(record, acc)
    bits = record.parameters["acc_bits"]
    for width in range(bits - 1, 7, -1):
        if np.any(wrap(acc, width) != acc):
            yield Hypothesis(
                cause="accumulator width", detail=f"accumulator of {width} bits that wraps", values=wrap(acc, width)
            )
            end = 1 << (width - 1)
            yield Hypothesis(
                cause="accumulator width",
                detail=f"accumulator of {width} bits that saturates",
                values=np.clip(acc, -end, end - 1),
            )
    flat = acc.reshape(-1, acc.shape[-1])
    stale = np.concatenate([flat[:1], flat[1:] + flat[:-1]])
    yield Hypothesis(cause="stale accumulator", detail="the sum before is not cleared", values=stale.reshape(acc.shape))
    yield Hypothesis(
        cause="stale accumulator",
        detail="sums are never cleared",
        values=np.cumsum(flat, axis=0).reshape(acc.shape),
    )


def of_order(y: NDArray[Any]) -> Iterator[Hypothesis]:
    """Right values in the wrong place."""
    flat = y.reshape(-1)
    for places, words in ((1, "one place late"), (-1, "one place early")):
        yield Hypothesis(cause="timing", detail=words, values=np.roll(flat, places).reshape(y.shape))
    if y.ndim >= 2:
        rows = y.reshape(-1, y.shape[-1])
        for places, words in ((1, "one word late"), (-1, "one word early")):
            yield Hypothesis(cause="timing", detail=words, values=np.roll(rows, places, axis=0).reshape(y.shape))
        yield Hypothesis(cause="order of results", detail="channels in reverse order", values=y[..., ::-1])
    lanes = 2
    while lanes <= y.shape[-1] and lanes <= 64:
        if y.shape[-1] % lanes == 0:
            grouped = y.reshape(-1, lanes)
            yield Hypothesis(
                cause="order of results",
                detail=f"lanes of words of {lanes} in reverse order",
                values=grouped[:, ::-1].reshape(y.shape),
            )
            if lanes > 2:
                pairs = y.reshape(-1, 2, lanes // 2)
                yield Hypothesis(
                    cause="order of results",
                    detail=f"halves of words of {lanes} swapped",
                    values=pairs[:, ::-1].reshape(y.shape),
                )
        lanes *= 2
    if y.ndim == 4 and y.shape[1] == y.shape[2]:
        yield Hypothesis(cause="order of results", detail="rows and columns swapped", values=y.swapaxes(1, 2))


def _finish(record: LayerRecord) -> Finish:
    """From an accumulator to a code, as the layer does it."""
    rule = {"double": double, "single": single, "single_away": single_away, "dyadic": dyadic}.get(record.requantizer)
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
        for detail, values in _roundings(acc, m, s, record.requantizer):
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
    yield Hypothesis(cause="clamp", detail="upper limit one too high", values=read(np.clip(placed, low, high + 1)))
    yield Hypothesis(cause="clamp", detail="upper limit one too low", values=np.clip(placed, low, high - 1))
    yield Hypothesis(cause="clamp", detail="lower limit one too high", values=np.clip(placed, low + 1, high))
    yield Hypothesis(cause="clamp", detail="lower limit one too low", values=read(np.clip(placed, low - 1, high)))
    if zero:
        for detail, offset in (("left out", -zero), ("added twice", zero), ("subtracted", -2 * zero)):
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


def _roundings(acc: Wide, m: Any, s: Wide, named: str) -> Iterator[tuple[str, Wide]]:
    """Every rounding of acc * m * 2**(s - 31) but the right one."""
    others = {"double": double, "single": single, "single_away": single_away, "dyadic": dyadic}
    words = {
        "double": "two roundings, half up, then half away from zero",
        "single": "one rounding, half up",
        "single_away": "one rounding, half away from zero",
        "dyadic": "one rounding, half to even",
    }
    for name, rule in others.items():
        if name != named:
            yield f"{words[name]}, where {named} is right", rule.apply(acc, m, s)
    left, right = np.maximum(s, 0), np.maximum(-s, 0)
    shifted = wrap_int32(acc << left)
    product = shifted * np.asarray(m, np.int64)
    high = saturating_rounding_doubling_high_multiply(shifted, m)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    yield "two roundings, both half up", (high + half) >> right
    away = np.sign(product) * ((np.abs(product) + (1 << 30)) >> 31)
    yield "two roundings, both half away from zero", rounding_divide_by_power_of_two(away, right)
    yield "two roundings, half away from zero, then half up", (away + half) >> right
    yield "first step cut off instead of rounded", rounding_divide_by_power_of_two(product >> 31, right)
    yield "second step cut off instead of rounded", high >> right
    yield "both steps cut off instead of rounded", (product >> 31) >> right
    yield "cut off towards minus infinity instead of rounded", product >> np.clip(31 + right, 0, 62)
    magnitude = np.abs(product) >> np.clip(31 + right, 0, 62)
    yield "cut off towards zero instead of rounded", np.sign(product) * magnitude
    negative = np.where(product < 0, -((-product) >> 31), product >> 31)
    yield "first step cut off towards zero", rounding_divide_by_power_of_two(negative, right)
    yield "first rounding constant doubled", rounding_divide_by_power_of_two((product + (1 << 31)) >> 31, right)
    yield "first rounding constant halved", rounding_divide_by_power_of_two((product + (1 << 29)) >> 31, right)
    yield "first rounding constant one short", rounding_divide_by_power_of_two((product + (1 << 30) - 1) >> 31, right)
    yield "second rounding constant doubled", (high + 2 * half) >> right
    down = -rounding_half_up(-high, right)
    yield "second rounding half down", down
    mask = (np.int64(1) << right) - 1
    rest = high & mask
    yield "second rounding: threshold not raised for negative values", (high >> right) + (rest > (mask >> 1))
    yield "second rounding: threshold raised for positive values", (high >> right) + (rest > (mask >> 1) + (high >= 0))
    yield "second rounding: threshold always raised", (high >> right) + (rest > (mask >> 1) + 1)


def rounding_half_up(x: Wide, right: Wide) -> Wide:
    """x / 2**right, halves up."""
    return (x + np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)) >> right


def _of_factors(record: LayerRecord, clip: Finish) -> Iterator[Hypothesis]:
    """A wrong multiplier or shift."""
    rule = {"double": double, "single": single, "single_away": single_away, "dyadic": dyadic}.get(record.requantizer)
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
        ("left shift left out", np.minimum(s, 0)),
        ("right shift left out", np.maximum(s, 0)),
        ("of the wrong sign", -s),
        ("of channel 0 for every channel", np.full_like(s, s[0])),
        ("of the channel before", np.roll(s, 1)),
        ("of the channel after", np.roll(s, -1)),
    ):
        yield Hypothesis(cause="shift", detail=f"shift {detail}", values=result(m, shift))
    for detail, multiplier, shift in (
        ("multiplier of channel 0 for every channel", np.full_like(m, m[0]), s),
        ("multiplier of the channel before", np.roll(m, 1), s),
        ("multiplier of the channel after", np.roll(m, -1), s),
        ("multiplier and shift of channel 0 for every channel", np.full_like(m, m[0]), np.full_like(s, s[0])),
        ("multiplier and shift of the channel before", np.roll(m, 1), np.roll(s, 1)),
        ("multiplier and shift of the channel after", np.roll(m, -1), np.roll(s, -1)),
        ("multiplier and shift of the channels in reverse order", m[::-1], s[::-1]),
        ("lowest bit of the multiplier lost", m & ~np.asarray(1, m.dtype), s),
        ("low half of the multiplier lost", m >> 16 << 16, s),
    ):
        yield Hypothesis(cause="multiplier", detail=detail, values=result(multiplier, shift))
    if record.requantizer == "double":
        left, right = np.maximum(s, 0), np.maximum(-s, 0)
        raised = np.clip(acc << left, -(1 << 31), (1 << 31) - 1)
        values = rounding_divide_by_power_of_two(saturating_rounding_doubling_high_multiply(raised, m), right)
        yield Hypothesis(cause="shift", detail="left shift saturates instead of wrapping", values=clip(values + zero))
        high = saturating_rounding_doubling_high_multiply(wrap_int32(acc << left), m)
        logical = ((high & 0xFFFFFFFF) >> right) + (rounding_divide_by_power_of_two(high, right) - (high >> right))
        yield Hypothesis(cause="sign extension", detail="right shift fills in zeros", values=clip(logical + zero))
    unsigned = acc & 0xFFFFFFFF
    values = np.where(acc < 0, clip(rule.apply(unsigned, m, s) + zero), clip(rule.apply(acc, m, s) + zero))
    yield Hypothesis(cause="sign extension", detail="accumulator read as an unsigned number", values=values)


def _of_bias(record: LayerRecord, acc: Wide) -> Iterator[Hypothesis]:
    if "bias" not in record.tensors:
        return
    bias = record.tensors["bias"].values.astype(np.int64)
    if not np.any(bias):
        return
    for detail, change in (
        ("left out", -bias),
        ("added twice", bias),
        ("subtracted", -2 * bias),
        ("of the channel before", np.roll(bias, 1) - bias),
        ("of the channel after", np.roll(bias, -1) - bias),
        ("of channel 0 for every channel", bias[0] - bias),
        ("cut to 16 bits", wrap(bias, 16) - bias),
        ("read as an unsigned number of 16 bits", (bias & 0xFFFF) - bias),
    ):
        yield Hypothesis(cause="bias", detail=f"bias {detail}", values=acc + change)


def _of_operands(record: LayerRecord, acc: Wide) -> Iterator[Hypothesis]:
    """Faults before the sum, for layers that are one matrix product."""
    product = record.product()
    if product is None:
        return
    a, b = product
    x, w = record.tensors["x"], record.tensors["w"]
    x_zero = record.parameters["x_zero"]
    rest = acc - (a @ b).reshape(acc.shape)

    def sums(left: Wide, right: Wide) -> Wide:
        return (left @ right).reshape(acc.shape) + rest

    window = record.window
    codes = x.values.astype(np.int64)
    if window is not None:
        inside = patches(pad_image(np.ones_like(codes), window), window).reshape(a.shape) == 1
        raw = patches(pad_image(codes, window), window).reshape(a.shape)
    else:
        inside, raw = np.ones(a.shape, bool), codes.reshape(a.shape)
    if x_zero:
        yield Hypothesis(
            cause="zero point", detail="input zero point left out", values=sums(np.where(inside, raw, 0), b)
        )
        yield Hypothesis(
            cause="zero point",
            detail="input zero point left out, padding with the zero point",
            values=sums(np.where(inside, raw, x_zero), b),
        )
        yield Hypothesis(
            cause="zero point", detail="input zero point added", values=sums(np.where(inside, raw + x_zero, 0), b)
        )
        if not inside.all():
            yield Hypothesis(
                cause="padding",
                detail="padding with code 0 instead of the zero point",
                values=sums(np.where(inside, a, -x_zero), b),
            )
    mask = (1 << x.bits) - 1
    if x.signed:
        unsigned = np.where(inside, (raw & mask) - x_zero, 0)
        yield Hypothesis(cause="sign extension", detail="inputs read as unsigned numbers", values=sums(unsigned, b))
    weights = (1 << w.bits) - 1
    yield Hypothesis(cause="sign extension", detail="weights read as unsigned numbers", values=sums(a, b & weights))
    yield Hypothesis(cause="sign extension", detail="x - x_zero cut to the bits of x", values=sums(wrap(a, x.bits), b))
    k = a.shape[1]
    if k > 1:
        yield Hypothesis(cause="dropped terms", detail="last term dropped", values=sums(a[:, :-1], b[:-1]))
        yield Hypothesis(cause="dropped terms", detail="first term dropped", values=sums(a[:, 1:], b[1:]))
        yield Hypothesis(cause="operand order", detail="weights one term late", values=sums(a, np.roll(b, 1, axis=0)))
        yield Hypothesis(cause="operand order", detail="weights one term early", values=sums(a, np.roll(b, -1, axis=0)))
        yield Hypothesis(cause="operand order", detail="weights in reverse order", values=sums(a, b[::-1]))
        yield Hypothesis(cause="operand order", detail="inputs one term late", values=sums(np.roll(a, 1, axis=1), b))
    if b.shape[1] > 1:
        yield Hypothesis(
            cause="operand order", detail="weights of the channel before", values=sums(a, np.roll(b, 1, axis=1))
        )
        yield Hypothesis(
            cause="operand order", detail="weights of the channel after", values=sums(a, np.roll(b, -1, axis=1))
        )
        yield Hypothesis(
            cause="operand order", detail="channels of the weights in reverse order", values=sums(a, b[:, ::-1])
        )
    if window is not None and window.kernel[0] == window.kernel[1] > 1:
        kernel = w.values.astype(np.int64)
        turned = kernel.swapaxes(1, 2).reshape(len(kernel), -1).T
        yield Hypothesis(cause="operand order", detail="kernel rows and columns swapped", values=sums(a, turned))
        flipped = kernel[:, ::-1, ::-1].reshape(len(kernel), -1).T
        yield Hypothesis(cause="operand order", detail="kernel turned by half a turn", values=sums(a, flipped))
    for tile in (4, 8, 16, 32):
        if k > tile:
            kept = k - (k % tile or tile)
            yield Hypothesis(
                cause="dropped terms",
                detail=f"last tile of {tile} along K dropped",
                values=sums(a[:, :kept], b[:kept]),
            )
