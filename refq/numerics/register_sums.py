"""Sums of products held to a narrow register at every addition, laid out for `refq.kernels.registers`.

One form serves every layer: an output pixel starts from its bias and adds, tap by tap, runs of neighbouring inputs
times weights. What differs is where the taps of a pixel lie in the padded image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.numerics.accumulator import Accumulator
from refq.numerics.matmul import magnitude

Array = NDArray[Any]
LANES = 16


def has_registers(accumulator: Accumulator) -> bool:
    """Whether the kernels hold this register: one that saturates and is not watched, REFQ_KERNELS allowing it."""
    from refq.kernels.cpu import has_instructions, route

    holds = type(accumulator) is Accumulator and accumulator.overflow == "saturate"
    return holds and has_instructions() and route() != "numpy"


def word_for(accumulator: Accumulator, product: int) -> np.dtype[Any] | None:
    """The type that holds a register plus a product of at most `product` in magnitude; None if int64 does not."""
    most = (1 << (accumulator.bits - 1)) + product
    return next((np.dtype(t) for t in (np.int32, np.int64) if most <= np.iinfo(t).max), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedWeights:
    """Weights, biases and places of taps as `sum_in_order` reads them.

    words (groups, panels, taps, run, 16); start (groups, panels, 16); offsets (groups, taps) in bytes
    channels : outputs of a group
    """

    words: Array
    start: Array
    offsets: NDArray[np.int64]
    channels: int

    @property
    def run(self) -> int:
        """Inputs of a tap."""
        return self.words.shape[3]


def lay_out(w: Array, start: Array, taps: list[tuple[int, int]], width: int, groups: int = 1) -> OrderedWeights:
    """Prepare the weights of a convolution.

    Parameters
    ----------
    w : words (O, FY, FX, C)
    start : words (O,), the bias as the register holds it
    taps : row and column of each kernel place, fy by fy, counted from the first input of a window
    width : columns of the padded image
    groups : groups of channels, side by side in the image
    """
    outputs, height, columns, channels = w.shape
    image_channels, share = channels * groups, outputs // groups
    panels = -(-share // LANES)
    words = np.zeros((groups, panels * LANES, height * columns, channels), w.dtype)
    words[:, :share] = w.reshape(groups, share, height * columns, channels)
    starts = np.zeros((groups, panels * LANES), w.dtype)
    starts[:, :share] = start.reshape(groups, share)
    places = np.array([(row * width + column) * image_channels for row, column in taps], np.int64)
    touch = groups == 1 and all(b == a + channels for i, (a, b) in enumerate(pairwise(places), 1) if i % columns)
    if touch:  # the columns of a kernel row are one run
        places, words = places[::columns], words.reshape(groups, panels * LANES, height, columns * channels)
    offsets = (places + np.arange(groups)[:, None] * channels) * w.itemsize
    return OrderedWeights(
        words=np.ascontiguousarray(words.reshape(groups, panels, LANES, *words.shape[2:]).transpose(0, 1, 3, 4, 2)),
        start=starts.reshape(groups, panels, LANES),
        offsets=np.ascontiguousarray(offsets),
        channels=share,
    )


def sum_images(
    padded: Array,
    w: Array,
    start: Any,
    accumulator: Accumulator,
    *,
    taps: list[tuple[int, int]],
    strides: tuple[int, int] = (1, 1),
    out: tuple[int, int],
    groups: int = 1,
) -> NDArray[np.int64] | None:
    """What registers hold after bias, then products in the order fy, fx, c; None where the kernels do not reach.

    Parameters
    ----------
    padded : integers (N, H, W, C), zero point taken off, padding 0
    w : integers (O, FY, FX, C / groups)
    start : integers that broadcast to (O,)
    taps : see `lay_out`
    out : rows and columns of the result

    Returns
    -------
    int64 (N, *out, O)
    """
    word = word_for(accumulator, magnitude(padded) * magnitude(w)) if has_registers(accumulator) else None
    if word is None or not w.size:
        return None
    from refq.kernels.registers import sum_in_order

    first = np.broadcast_to(accumulator.fit(np.asarray(start)), (len(w),)).astype(word)
    packed = lay_out(w.astype(word), first, taps, padded.shape[2], groups)
    n, height, width, channels = padded.shape
    rows = np.ascontiguousarray(padded, word).reshape(n, height, width * channels)
    window = (strides[0], strides[1] * channels * word.itemsize, packed.channels)
    ends = -(1 << (accumulator.bits - 1)), (1 << (accumulator.bits - 1)) - 1
    tile, y = np.zeros((8, LANES), word), np.zeros((n, *out, len(w)), np.int64)
    for image, result in zip(rows, y, strict=True):
        sum_in_order(image, packed.offsets, packed.run, packed.words, packed.start, window, *ends, tile, result)
    return y


def sum_rows(x: Array, w: Array, start: Any, accumulator: Accumulator) -> NDArray[np.int64] | None:
    """`sum_images` for a matrix: integers x (..., I) and w (O, I), products in the order of I."""
    rows = x.reshape(1, 1, -1, x.shape[-1])
    y = sum_images(rows, w[:, None, None], start, accumulator, taps=[(0, 0)], out=(1, rows.shape[2]))
    return None if y is None else y.reshape(*x.shape[:-1], len(w))


def sum_channels(
    padded: Array,
    w: Array,
    start: Any,
    accumulator: Accumulator,
    *,
    strides: tuple[int, int],
    dilation: tuple[int, int],
    out: tuple[int, int],
) -> NDArray[np.int64] | None:
    """`sum_images` for one filter a channel: integers padded (N, H, W, C) and w (FY, FX, C)."""
    word = word_for(accumulator, magnitude(padded) * magnitude(w)) if has_registers(accumulator) else None
    if word is None:
        return None
    from refq.kernels.registers import sum_channels_in_order

    y = np.zeros((len(padded), *out, w.shape[2]), word)
    first = np.broadcast_to(accumulator.fit(np.asarray(start)), (w.shape[2],)).astype(word)
    ends = word.type(-(1 << (accumulator.bits - 1))), word.type((1 << (accumulator.bits - 1)) - 1)
    weights = np.ascontiguousarray(w, word)
    for image, result in zip(np.ascontiguousarray(padded, word), y, strict=True):
        sum_channels_in_order(image, weights, first, (*strides, *dilation), *ends, result)
    return y.astype(np.int64)
