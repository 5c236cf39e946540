"""Scales of groups within a channel as small integers beside one real scale of the channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.graph import QParams
from refq.quantizers.blocks import count_blocks
from refq.quantizers.means import positive_scale


def two_level(
    grid: QParams, shape: tuple[int, ...], axis: int, level_bits: int = 8, least_scale: Any = 0.0
) -> tuple[QParams, NDArray[np.float32], NDArray[np.int64]]:
    """A grid of blocks whose scales are whole multiples of a scale.

        s = max s_block / room,   m_block = max(1, round(s_block / s)),   room = (2**(level_bits - 1) - 1) // max|code|

    Parameters
    ----------
    grid : QParams with blocks, zero points 0
    shape : of the tensor
    axis : int      channels; where blocks cut it, s is one a channel, else one for the tensor
    level_bits : int in 2..16     of code * m_block
    least_scale : float >= 0, one or one a channel     a smaller s is raised to it

    Returns
    -------
    (the grid with scales s * m_block, s of shape () or (channels,), m_block in the shape of the blocks)

    Raises
    ------
    UnsupportedError    zero points
    RangeError          level_bits that leave no room beside the codes
    ShapeError          a shape that has other blocks

    Notes
    -----
    VS-Quant, Dai et al. 2021, section 4.4: the second level is an unsigned integer a vector.
    """
    block, counts = grid.block or (0,) * len(shape), grid.scale.shape
    if count_blocks(shape, block) != counts:
        raise ShapeError(f"a tensor of shape {shape} does not have {counts} blocks of {block}")
    if not grid.is_symmetric:
        raise UnsupportedError("zero points of groups have no integer product; use symmetric=True")
    room = ((1 << (level_bits - 1)) - 1) // max(-grid.qmin, grid.qmax)
    if room < 1:
        raise RangeError(f"level_bits={level_bits} leave no room for scales beside codes of {grid.bits} bits")
    others = tuple(i for i in range(len(shape)) if not (block[axis] and i == axis))
    top = grid.scale.astype(np.float64).max(axis=others, keepdims=True)
    least = channel_steps(least_scale, block[axis], shape[axis]).reshape(top.shape if block[axis] else ())
    scale = np.maximum(positive_scale(top / room), least).astype(np.float32)
    steps = np.clip(np.rint(grid.scale / scale.astype(np.float64)), 1, room).astype(np.int64)
    fine = QParams(
        scale=positive_scale(np.minimum(scale * steps.astype(np.float64), np.finfo(np.float32).max)),
        bits=grid.bits,
        signed=grid.signed,
        narrow=grid.narrow,
        block=block,
    )
    whole = channel_values(scale.reshape(-1), block[axis], shape[axis]) if block[axis] else scale.reshape(())
    return fine, whole, steps


def channel_values(values: NDArray[Any], step: int, channels: int) -> NDArray[Any]:
    """One value a channel from one for `step` neighbours."""
    return np.repeat(values, step)[:channels]


def channel_steps(values: Any, step: int, channels: int) -> NDArray[np.float64]:
    """The largest value of every `step` channels, of all where step is 0; from one value, or one a channel."""
    each = np.broadcast_to(np.asarray(values, np.float64), (channels,))
    if not step:
        return np.asarray(each.max(initial=0.0))
    return np.maximum.reduceat(each, np.arange(0, channels, step))
