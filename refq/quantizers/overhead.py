"""Overhead: what the scales of a granularity cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from refq.errors import ShapeError
from refq.quantizers.blocks import count_blocks
from refq.quantizers.granularity import Granularity


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Costs of one weight tensor on a uniform grid beside its codes.

    Parameters
    ----------
    scales : int      blocks
    scale_bytes, zero_point_bytes : int     zero points are as wide as codes, rounded up to bytes; none if symmetric
    rescales_per_output : int     multiplications by a scale for one output: the blocks of one output channel
    bits_per_weight : float       codes, scales and zero points over the number of weights
    """

    scales: int
    scale_bytes: int
    zero_point_bytes: int
    rescales_per_output: int
    bits_per_weight: float


def overhead(
    shape: tuple[int, ...],
    granularity: Granularity,
    *,
    bits: int = 8,
    symmetric: bool = True,
    scale_bits: int = 32,
    channel_axis: int = 0,
) -> Overhead:
    """What a granularity costs on a weight of `shape`.

        bits_per_weight = bits + 8 * (scale_bytes + zero_point_bytes) / weights

    Raises
    ------
    ShapeError    a tensor without elements

    Notes
    -----
    Gholami et al. 2021, section III-E: finer groups need more scales, and one more rescaling a group and output.

    >>> from refq.quantizers import PerGroup
    >>> overhead((8, 64), granularity=PerGroup(size=16), bits=4).bits_per_weight
    6.0
    """
    if not prod(shape):
        raise ShapeError(f"a tensor of shape {shape} has no weights")
    counts = count_blocks(shape, granularity.block(len(shape)))
    scales = prod(counts)
    scale_bytes = -(-scales * scale_bits // 8)
    zero_bytes = 0 if symmetric else scales * -(-bits // 8)
    per_output = scales // counts[channel_axis] if counts else 1
    spent = 8 * (scale_bytes + zero_bytes) / prod(shape)
    return Overhead(
        scales=scales,
        scale_bytes=scale_bytes,
        zero_point_bytes=zero_bytes,
        rescales_per_output=per_output,
        bits_per_weight=bits + spent,
    )
