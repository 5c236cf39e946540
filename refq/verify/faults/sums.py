"""Faults before the requantizer: operands, bias, accumulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from refq.layers.windows import Window, pad_image, patches
from refq.verify.arrays import operand_bits
from refq.verify.faults.hypothesis import Hypothesis, Wide, first_lane, lane_counts, wrap
from refq.verify.records import LayerRecord


def of_sums(record: LayerRecord) -> Iterator[Hypothesis]:
    """Faults seen in the accumulators, bias included."""
    acc = record.tensors["acc"].values
    yield from _of_bias(record, acc)
    yield from _of_operands(record, acc)
    yield from _of_register(record, acc)


def _of_register(record: LayerRecord, acc: Wide) -> Iterator[Hypothesis]:
    """A register too narrow, or not cleared; the bias joins the sum in it or after it."""
    bias = record.tensors["bias"].values.astype(np.int64) if "bias" in record.tensors else np.int64(0)
    sums = acc - bias
    for width in range(record.parameters["acc_bits"] - 1, 7, -1):
        end = 1 << (width - 1)
        for words, held, later in (("", acc, np.int64(0)), (" before the bias", sums, bias)):
            if np.any(wrap(held, width) != held):
                for words_of, values in (("wraps", wrap(held, width)), ("saturates", np.clip(held, -end, end - 1))):
                    yield Hypothesis(
                        cause="accumulator width",
                        detail=f"accumulator of {width} bits that {words_of}{words}",
                        values=values + later,
                    )
    flat = sums.reshape(-1, acc.shape[-1])
    before = np.concatenate([np.zeros_like(flat[:1]), flat[:-1]])
    for detail, values in (
        ("the sum before is not cleared", flat + before),
        ("sums are never cleared", np.cumsum(flat, axis=0)),
        ("the sum before instead of this one", before),
    ):
        yield Hypothesis(cause="stale accumulator", detail=detail, values=values.reshape(acc.shape) + bias)


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
        *((f"of the first of {n} lanes", first_lane(bias, n) - bias) for n in lane_counts(len(bias))),
        *(
            (f"of the first {n} channels for every group of {n}", np.resize(bias[:n], len(bias)) - bias)
            for n in lane_counts(len(bias))
        ),
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
    rest = acc - (a @ b).reshape(acc.shape)
    for cause, detail, left, right in operand_faults(record):
        yield Hypothesis(cause=cause, detail=detail, values=(left @ right).reshape(acc.shape) + rest)


def operand_faults(record: LayerRecord, rows: int = 0) -> Iterator[tuple[str, str, Wide, Wide]]:
    """Cause, detail, and both matrices as a faulty design multiplies them; rows: of the array, for tiles along K."""
    product = record.product()
    if product is None:
        return
    a, b = product
    x, w = record.tensors["x"], record.tensors["w"]
    x_zero = record.zero("x")
    window = record.window
    codes = x.values.astype(np.int64)
    if window is not None:
        inside = patches(pad_image(np.ones_like(codes), window), window).reshape(a.shape) == 1
        raw = patches(pad_image(codes, window), window).reshape(a.shape)
    else:
        inside, raw = np.ones(a.shape, bool), codes.reshape(a.shape)
    if np.any(x_zero):
        yield "zero point", "input zero point left out", np.where(inside, raw, 0), b
        yield "zero point", "input zero point left out, padding with the zero point", np.where(inside, raw, x_zero), b
        yield "zero point", "input zero point added", np.where(inside, raw + x_zero, 0), b
        if not inside.all():
            yield "padding", "padding with code 0 instead of the zero point", np.where(inside, a, -x_zero), b
    if window is not None:
        for detail, other in _other_windows(window):
            moved = patches(pad_image(codes - x_zero, other), other)
            seen = _cut(moved.reshape(*moved.shape[:3], -1), window.out).reshape(a.shape)
            yield "operand order", detail, seen, b
    mask = (1 << x.bits) - 1
    if x.signed:
        unsigned = np.where(inside, (raw & mask) - x_zero, 0)
        yield "sign extension", "inputs read as unsigned numbers", unsigned, b
    weights = (1 << w.bits) - 1
    wider = (1 << (x.bits + 1)) - 1
    yield "sign extension", "x - x_zero and weights multiplied as unsigned", a & wider, b & weights
    yield "sign extension", "x - x_zero multiplied as unsigned", a & wider, b
    held = (1 << operand_bits(record, "x", a)) - 1
    yield "sign extension", "operands as wide as in memory multiplied as unsigned", a & held, b & weights
    yield "sign extension", "weights read as unsigned numbers", a, b & weights
    yield "sign extension", "x - x_zero cut to the bits of x", wrap(a, x.bits), b
    k = a.shape[1]
    yield "dropped terms", "last term dropped", _only(a, slice(0, k - 1)), b
    yield "dropped terms", "first term dropped", _only(a, slice(1, k)), b
    if k > 1:
        yield "operand order", "weights one term late", a, np.roll(b, 1, axis=0)
        yield "operand order", "weights one term early", a, np.roll(b, -1, axis=0)
        yield "operand order", "weights in reverse order", a, b[::-1]
        yield "operand order", "inputs one term late", np.roll(a, 1, axis=1), b
    if b.shape[1] > 1:
        yield "operand order", "weights of the channel before", a, np.roll(b, 1, axis=1)
        yield "operand order", "weights of the channel after", a, np.roll(b, -1, axis=1)
        yield "operand order", "channels of the weights in reverse order", a, b[:, ::-1]
    if window is not None and window.kernel[0] == window.kernel[1] > 1:
        kernel = b.T.reshape(w.values.shape)
        turned = kernel.swapaxes(1, 2).reshape(len(kernel), -1).T
        yield "operand order", "kernel rows and columns swapped", a, turned
        flipped = kernel[:, ::-1, ::-1].reshape(len(kernel), -1).T
        yield "operand order", "kernel turned by half a turn", a, flipped
    for tile in sorted({4, 8, 16, 32, rows} - {0}):
        if k > tile:
            kept = k - (k % tile or tile)
            yield "dropped terms", f"last tile of {tile} along K dropped", _only(a, slice(0, kept)), b


def _only(a: Wide, terms: slice) -> Wide:
    kept = np.zeros_like(a)
    kept[:, terms] = a[:, terms]
    return kept


def _other_windows(window: Window) -> Iterator[tuple[str, Window]]:
    """Windows at the wrong place; each reaches far enough to give as many outputs as the right one."""
    (top, bottom), (left, right) = window.pads
    down, across = window.strides
    for detail, pads in (
        ("left padding left out", ((top, bottom), (0, left + right))),
        ("top padding left out", ((0, top + bottom), (left, right))),
        ("top and left padding left out", ((0, top + bottom), (0, left + right))),
        ("one column too far to the left", ((top, bottom), (left + 1, right))),
        ("one row too far up", ((top + 1, bottom), (left, right))),
    ):
        if pads != window.pads:
            yield detail, replace(window, pads=pads)
    if (down, across) != (1, 1):
        yield "stride of rows ignored", replace(window, strides=(1, across))
        yield "stride of columns ignored", replace(window, strides=(down, 1))
        yield "strides ignored", replace(window, strides=(1, 1))


def _cut(rows: Wide, out: tuple[int, int]) -> Wide:
    return rows[:, : out[0], : out[1]]
