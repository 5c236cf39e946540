"""Products by 4-bit weights with a scale for every group of rows, the format of weight-only quantized networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.kernels import cpu, float_product

_DOTS = {"avx512vnni": 0, "avxvnni": 1}
"""Instruction sets with a kernel of their own; the others run the NumPy route."""

WORTH_A_THREAD = 1 << 26
"""Multiplications that take longer, about 150 microseconds, than starting a thread, about 40."""


@dataclass(frozen=True, kw_only=True)
class GroupedWeights:
    """4-bit weights and their scales; made by `pack_int4`.

    Attributes
    ----------
    codes : int8 in [-8, 7], shape (K, N)
    scales : float32, shape (ceil(K / group), N)
    group : rows that share a scale
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    group: int

    @cached_property
    def padded_group(self) -> int:
        """Rows of a group as packed: two words of four."""
        return -(-self.group // 8) * 8

    def panels(self, lanes: int) -> tuple[NDArray[np.uint32], NDArray[np.float32], int]:
        """Packed nibbles [panel][group][pair][column], scales [panel][group][column], and the panels; kept."""
        forms = self.__dict__.setdefault("_forms", {})
        if lanes not in forms:
            forms[lanes] = self._pack(2 * lanes)
        return forms[lanes]

    def _pack(self, width: int) -> tuple[NDArray[np.uint32], NDArray[np.float32], int]:
        from refq.kernels.packing import aligned

        (k, n), groups = self.codes.shape, len(self.scales)
        count = -(-n // width)
        nibbles = np.zeros((groups, self.padded_group, count * width), np.uint8)
        whole = np.zeros((groups * self.group, n), np.uint8)
        whole[:k] = self.codes + np.int8(8)
        nibbles[:, : self.group, :n] = whole.reshape(groups, self.group, n)
        halves = nibbles.reshape(groups, -1, 2, 4, count, width)
        both = halves[:, :, 0] | halves[:, :, 1] << 4
        words = aligned(both.size // 4, np.uint32)
        words.view(np.uint8).reshape(count, groups, -1, width, 4)[...] = both.transpose(3, 0, 1, 4, 2)
        scales = aligned(count * groups * width, np.float32)
        padded = np.zeros((groups, count * width), np.float32)
        padded[:, :n] = self.scales
        scales.reshape(count, groups, width)[...] = padded.reshape(groups, count, width).swapaxes(0, 1)
        return words, scales, count


def pack_int4(codes: Any, scales: Any, group: int) -> GroupedWeights:
    """Pack 4-bit weights, two codes a byte, for products by int8 activations.

    Parameters
    ----------
    codes : int8 in [-8, 7], shape (K, N)
    scales : float32, shape (ceil(K / group), N)
    group : rows that share a scale, at least 1

    Raises
    ------
    UnsupportedError, RangeError, ShapeError    other types, values outside 4 bits, shapes that do not fit
    """
    codes, scales = np.array(codes), np.array(scales)
    if codes.dtype != np.int8 or scales.dtype != np.float32:
        raise UnsupportedError(f"codes are {codes.dtype}, scales {scales.dtype}; give int8 and float32")
    if group < 1:
        raise RangeError(f"group={group} must be at least 1")
    if codes.ndim != 2 or scales.shape != (-(-codes.shape[0] // group), codes.shape[1]):
        raise ShapeError(f"codes of shape {codes.shape} in groups of {group} do not fit scales of shape {scales.shape}")
    if codes.size and (codes.min() < -8 or codes.max() > 7):
        raise RangeError(f"codes from {codes.min()} to {codes.max()} leave 4 bits, [-8, 7]")
    return GroupedWeights(codes=codes, scales=scales, group=group)


def grouped_matmul(a: Any, b: GroupedWeights, threads: int = 1) -> NDArray[np.float32]:
    """Product of int8 activations by 4-bit weights.

        y[m, n] = sum over groups g of scale[g, n] * float32(sum over k in g of a[m, k] * code[k, n])

    The inner sums are int32; each product with a scale is rounded, and they are added in the order of the groups, so
    that every route and every number of threads gives the same bits.

    Parameters
    ----------
    a : int8, shape (M, K)
    b : what `pack_int4` made
    threads : at most this many threads work

    Returns
    -------
    float32 array (M, N)

    >>> weights = pack_int4(np.array([[1], [-8]], np.int8), np.array([[0.5], [0.25]], np.float32), group=1)
    >>> grouped_matmul(np.array([[3, 4]], np.int8), weights).tolist()
    [[-6.5]]
    """
    a = np.asarray(a)
    if a.dtype != np.int8:
        raise UnsupportedError(f"a has type {a.dtype}, grouped_matmul takes int8")
    if a.ndim != 2 or a.shape[1] != b.codes.shape[0]:
        raise ShapeError(f"a of shape {a.shape} does not fit weights of shape {b.codes.shape}")
    if threads < 1:
        raise RangeError(f"threads={threads} must be at least 1")
    m, k, n = *a.shape, b.codes.shape[1]
    route = cpu.route()
    if route not in _DOTS or not m * k * n:
        return _reference(a, b)
    from refq.kernels.grouped_product import grouped_kernel
    from refq.kernels.intrinsics import DOTS
    from refq.kernels.packing import address
    from refq.kernels.sharing import share

    dot = _DOTS[route]
    width, groups = 2 * DOTS[dot].lanes, len(b.scales)
    words, scales, count = b.panels(DOTS[dot].lanes)
    a, y = _padded(a, b), np.empty((m, n), np.float32)
    a_at, y_at, words_at, scales_at = (address(x) for x in (a, y, words, scales))
    kernel, panel_bytes = grouped_kernel(dot), 4 * words.size // count

    def part(low: int, high: int, panel0: int, panel1: int) -> None:
        kernel(
            a_at + low * a.strides[0],
            a.strides[0],
            b.padded_group,
            words_at + panel0 * panel_bytes,
            panel1 - panel0,
            groups,
            scales_at + panel0 * groups * width * 4,
            y_at + low * y.strides[0] + panel0 * width * 4,
            y.strides[0],
            high - low,
            min(n, panel1 * width) - panel0 * width,
        )

    threads = min(threads, 1 + m * k * n // WORTH_A_THREAD)
    if m >= 12 * threads:
        share(threads, m, 6, lambda low, high: part(low, high, 0, count))
    else:
        share(threads, count, 1, lambda low, high: part(0, m, low, high))
    return y


def _padded(a: NDArray[np.int8], b: GroupedWeights) -> NDArray[np.int8]:
    """The activations with every group filled to its packed length by zeros."""
    (m, k), groups = a.shape, len(b.scales)
    if k == groups * b.padded_group:
        return a if a.strides[1] == 1 else np.ascontiguousarray(a)
    whole = np.zeros((m, groups * b.group), np.int8)
    whole[:, :k] = a
    padded = np.zeros((m, groups, b.padded_group), np.int8)
    padded[:, :, : b.group] = whole.reshape(m, groups, b.group)
    return padded.reshape(m, -1)


def _reference(a: NDArray[np.int8], b: GroupedWeights) -> NDArray[np.float32]:
    y = np.zeros((a.shape[0], b.codes.shape[1]), np.float32)
    for g, scale in enumerate(b.scales):
        rows = slice(g * b.group, (g + 1) * b.group)
        y += scale * float_product.product(a[:, rows], b.codes[rows]).astype(np.float32)
    return y
