"""From a fitted quantizer to the integers hardware holds: a grid, codes and tables of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, UnsupportedError
from refq.graph import Codebook, QParams
from refq.graph.codebook import Multiplier
from refq.quantizers.apply import dequantize_array, quantize_array
from refq.quantizers.bases import Bases
from refq.quantizers.group_scales import channel_steps, channel_values, two_level
from refq.quantizers.levels import Levels
from refq.quantizers.means import positive_scale, within_float32
from refq.quantizers.product import ProductCodebook
from refq.quantizers.vector_codebook import VectorCodebook

Represented = tuple[QParams, NDArray[Any], Codebook]


def represent(
    fitted: Levels | Bases | VectorCodebook | ProductCodebook | QParams,
    codes: Any,
    *,
    multiplier: Multiplier,
    channel_axis: int = 0,
    level_bits: int = 16,
    least_scale: Any = 0.0,
) -> Represented:
    """Quantized weights as integers of a uniform grid, held as codes into tables.

        integer = round(level / s),   s = max|level| / (2**(level_bits - 1) - 1)
        shift, shift_add:  s = the smallest positive level, so that powers of two and their sums are exact, unless
                           blocks of different smallest levels share s: then levels are rounded, the lowest to 0
        sign:              s = the magnitude of all levels that are not 0, where they have one
        vectors:           integer = sum_r round(centroid_r / s), s so large that the sums fit; one s for the tensor
        scales of groups:  integer = code * round(s_group / s), s = max s_group * max|code| / (2**(level_bits - 1) - 1)
        one scale a tensor or channel: integer = code

    Parameters
    ----------
    fitted : Levels, Bases without offsets, or QParams with blocks: one s an index of channel_axis where blocks cut it,
        else one; VectorCodebook or ProductCodebook; QParams
    codes : integers, of `fitted.quantize` (`encode` of a ProductCodebook, `quantize_array` of QParams)
    multiplier : see `Codebook`; vectors are "lookup", groups with scales "group_rescale"
    channel_axis : int
    level_bits : int in 2..16     of the integers; not where they are the codes
    least_scale : float >= 0, one or one a channel    a smaller s is raised to it; by a power of two where
        integers are powers of two and their sums; the lowest levels may become 0

    Returns
    -------
    (grid, integers, codebook): the codebook decodes to the integers

    Raises
    ------
    RangeError          level_bits outside its range, levels that it cannot hold, or that are not of the multiplier; a
        scale that would have to be raised where integers are the codes
    UnsupportedError    bases with offsets, zero points of groups

    Notes
    -----
    Integer scales of groups beside a real scale of the channel: VS-Quant, Dai et al. 2021, section 4.4 (two-level
    quantization).
    """
    if not 2 <= level_bits <= 16:
        raise RangeError(f"level_bits={level_bits} is outside 2..16")
    numbers = np.asarray(codes)
    if isinstance(fitted, ProductCodebook):
        books = fitted.centroids[:, None]
        fitted = VectorCodebook(centroids=books, tail=(fitted.dims,), sharing="position")
        numbers = numbers[..., None]
    if isinstance(fitted, QParams):
        if fitted.block is None:
            return _plain(fitted, numbers, multiplier, least_scale)
        return _grouped(fitted, numbers, channel_axis % numbers.ndim, level_bits, least_scale)
    if isinstance(fitted, VectorCodebook):
        return _vectors(fitted, numbers, multiplier, level_bits, least_scale)
    return _levels(fitted, numbers, multiplier, channel_axis % numbers.ndim, level_bits, least_scale)


def _levels(
    fitted: Levels | Bases, numbers: NDArray[Any], multiplier: Multiplier, axis: int, level_bits: int, least: Any
) -> Represented:
    if isinstance(fitted, Bases):
        if np.any(fitted.offset):
            raise UnsupportedError("bases with an offset have no bit planes of integers; fit signed bases")
        reals = np.stack([-fitted.alphas, fitted.alphas], axis=-1)  # counts + (stages, 2)
        held = numbers.astype(np.int64)[..., None] >> np.arange(fitted.bits) & 1
    else:
        reals, held = fitted.levels[..., None, :], numbers[..., None]
    block = fitted.block or (0,) * numbers.ndim
    counts = reals.shape[:-2] if fitted.block is not None else (1,) * numbers.ndim
    reals = reals.astype(np.float64).reshape(*counts, *reals.shape[-2:])
    limit = (1 << (level_bits - 1)) - 1
    others = tuple(i for i in range(reals.ndim) if not (block[axis] and i == axis))
    size = np.abs(reals)
    if multiplier in ("shift", "shift_add"):
        scale = _unit(reals, others, limit, multiplier)
    else:
        total = size.sum(axis=-2, keepdims=True) if isinstance(fitted, Bases) else size
        room = limit - fitted.bits if isinstance(fitted, Bases) else limit  # every base may be rounded up
        scale = total.max(axis=others, keepdims=True) / max(room, 1)
    scale = positive_scale(scale).astype(np.float64)
    least = channel_steps(least, block[axis], numbers.shape[axis]).reshape(scale.shape if block[axis] else ())
    if multiplier == "sign":
        largest = size.max(axis=others, keepdims=True)
        smallest = np.where(size > 0, size, np.inf).min(axis=others, keepdims=True)
        scale = np.where((smallest == largest) & (largest >= least), positive_scale(largest), scale)
    if multiplier in ("shift", "shift_add"):
        scale = scale * np.exp2(np.ceil(np.log2(np.maximum(least / scale, 1.0))))
    scale = np.maximum(scale, least).astype(np.float32).astype(np.float64)
    table = np.rint(reals / scale).astype(np.int64)
    tables = table.reshape(-1, *table.shape[-2:], 1)
    book = Codebook(codes=held, tables=tables, sharing=block, multiplier=multiplier)
    flat = channel_values(scale.reshape(-1), block[axis], numbers.shape[axis]) if block[axis] else scale.reshape(())
    return _on_grid(flat, axis if block[axis] else None, book, level_bits)


def _unit(reals: NDArray[np.float64], others: tuple[int, ...], limit: int, multiplier: Multiplier) -> NDArray[Any]:
    """The smallest positive level. Where blocks that share s have different ones: the unit of sums of powers is as fine
    as the limit allows, that of powers themselves is coarsened by powers of two until the largest block fits.
    """
    positive: NDArray[np.float64] = np.where(reals > 0, reals, np.inf)
    unit: NDArray[np.float64] = positive.min(axis=others, keepdims=True)
    is_one = positive.min(axis=(-2, -1), keepdims=True).max(axis=others, keepdims=True) == unit
    top: NDArray[np.float64] = np.abs(reals).max(axis=others, keepdims=True)
    shared: Any = top / limit
    if multiplier == "shift":
        shared = unit * np.exp2(np.ceil(np.log2(np.maximum(shared / unit, 1.0))))
    scale: NDArray[np.float64] = np.where(is_one, unit, shared)
    return scale


def _vectors(
    fitted: VectorCodebook, numbers: NDArray[Any], multiplier: Multiplier, level_bits: int, least: Any
) -> Represented:
    if multiplier != "lookup":
        raise RangeError(f"multiplier={multiplier!r} cannot form products with centroids; use 'lookup'")
    top = float(np.abs(fitted.dequantize(numbers)).max(initial=0.0))
    room = (1 << (level_bits - 1)) - 1 - 0.5 * fitted.stages  # every stage may be rounded up
    scale = np.maximum(positive_scale(top / max(room, 1)), np.float32(np.max(least, initial=0.0)))
    reach = ((1 << 31) - 1) // fitted.stages  # of centroids that no code names
    tables = np.clip(np.rint(fitted.centroids / scale.astype(np.float64)), -reach, reach).astype(np.int64)
    book = Codebook(
        codes=numbers,
        tables=tables,
        sharing=(0, int(fitted.sharing == "position")),
        multiplier=multiplier,
        tail=fitted.tail,
    )
    return _on_grid(scale.reshape(()), None, book, level_bits)


def _grouped(fitted: QParams, numbers: NDArray[Any], axis: int, level_bits: int, least: Any) -> Represented:
    fine, scale, steps = two_level(fitted, numbers.shape, axis, level_bits, least)
    codes = quantize_array(dequantize_array(numbers, fitted, np.float64), fine).astype(np.int64)
    book = Codebook(
        codes=(codes - fine.qmin)[..., None],
        tables=np.arange(fine.qmin, fine.qmax + 1).reshape(1, 1, -1, 1),
        sharing=fine.block,
        multiplier="group_rescale",
        scales=steps.reshape(-1),
    )
    return _on_grid(scale, None if scale.ndim == 0 else axis, book, level_bits)


def _plain(fitted: QParams, numbers: NDArray[Any], multiplier: Multiplier, least: Any) -> Represented:
    if np.any(fitted.scale < np.asarray(least, np.float64)):
        raise RangeError(f"scale={fitted.scale.min()} cannot be raised to {np.max(least)}: the integers are the codes")
    step = 2 if fitted.is_binary else 1
    levels = np.arange(fitted.qmin, fitted.qmax + 1, step)
    held = (numbers.astype(np.int64) - fitted.qmin) // step
    book = Codebook(codes=held[..., None], tables=levels.reshape(1, 1, -1, 1), multiplier=multiplier)
    return fitted, numbers.astype(fitted.dtype), book


def _on_grid(scale: NDArray[Any], axis: int | None, book: Codebook, level_bits: int) -> Represented:
    """The integers on the grid of 8 or 16 bits."""
    integers = book.decode()
    if np.abs(integers.astype(np.int64)).max(initial=0) > (1 << (level_bits - 1)) - 1:
        raise RangeError(
            f"levels up to {np.abs(integers).max()} do not fit level_bits={level_bits}; use a grid of fewer bits"
        )
    size = np.abs(integers.astype(np.int64))
    others = tuple(i for i in range(size.ndim) if i != axis)
    reach = size.max(initial=0) if axis is None else size.max(axis=others, initial=0)
    grid = QParams(scale=within_float32(scale.astype(np.float32), reach), axis=axis, bits=8 if level_bits <= 8 else 16)
    return grid, integers.astype(grid.dtype), book
