"""From fitted levels to the integers hardware holds: a grid, codes and tables of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, UnsupportedError
from refq.graph import Codebook, QParams
from refq.graph.codebook import Multiplier
from refq.quantizers.bases import Bases
from refq.quantizers.levels import Levels
from refq.quantizers.means import positive_scale


def represent(
    fitted: Levels | Bases,
    codes: Any,
    *,
    multiplier: Multiplier,
    channel_axis: int = 0,
    level_bits: int = 16,
    least_scale: Any = 0.0,
) -> tuple[QParams, NDArray[Any], Codebook]:
    """Weights on real levels as integers of a uniform grid, held as codes into tables.

        integer = round(level / s),   s = max|level| / (2**(level_bits - 1) - 1)
        shift, shift_add:  s = the smallest positive level, so that powers of two and their sums are exact

    Parameters
    ----------
    fitted : Levels, or Bases without offsets; one s an index of channel_axis where blocks are 1 along it, else one
    codes : integers, the shape of the weights
    multiplier : see `Codebook`
    channel_axis : int
    level_bits : int in 2..16
    least_scale : float >= 0, one or one a channel    a smaller s is raised to it; by a power of two where
        integers are powers of two and their sums; the lowest levels may become 0

    Returns
    -------
    (grid, integers, codebook): the codebook decodes to the integers

    Raises
    ------
    RangeError          level_bits outside its range, levels that it cannot hold, or that are not of the multiplier
    UnsupportedError    bases with offsets
    """
    numbers = np.asarray(codes)
    if not 2 <= level_bits <= 16:
        raise RangeError(f"level_bits={level_bits} is outside 2..16")
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
    axis, limit = channel_axis % numbers.ndim, (1 << (level_bits - 1)) - 1
    is_channelwise = block[axis] == 1
    others = tuple(i for i in range(reals.ndim) if not (is_channelwise and i == axis))
    if multiplier in ("shift", "shift_add"):
        scale = np.where(reals > 0, reals, np.inf).min(axis=others, keepdims=True)
    else:
        size = np.abs(reals)
        size = size.sum(axis=-2, keepdims=True) if isinstance(fitted, Bases) else size
        room = limit - fitted.bits if isinstance(fitted, Bases) else limit  # every base may be rounded up
        scale = size.max(axis=others, keepdims=True) / max(room, 1)
    scale = positive_scale(scale).astype(np.float64)
    least = np.broadcast_to(least_scale, scale.size).reshape(scale.shape)
    if multiplier in ("shift", "shift_add"):
        scale = scale * np.exp2(np.ceil(np.log2(np.maximum(least / scale, 1.0))))
    scale = np.maximum(scale, least).astype(np.float32).astype(np.float64)
    table = np.rint(reals / scale).astype(np.int64)
    book = Codebook(
        codes=held,
        tables=table.reshape(-1, *table.shape[-2:], 1),
        sharing=block,
        multiplier=multiplier,
    )
    integers = book.decode()
    if np.abs(integers.astype(np.int64)).max(initial=0) > limit:
        raise RangeError(f"levels up to {np.abs(integers).max()} do not fit level_bits={level_bits}")
    bits = 8 if level_bits <= 8 else 16
    flat = scale.reshape(-1) if is_channelwise else scale.reshape(())
    grid = QParams(scale=flat.astype(np.float32), axis=axis if is_channelwise else None, bits=bits)
    return grid, integers.astype(grid.dtype), book
