"""The weights of one layer under a scheme, as integers that are codes into tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import Codebook, QParams
from refq.quantizers.apply import quantize_array
from refq.quantizers.binary import Binary
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.group_scales import two_level
from refq.quantizers.represent import represent
from refq.quantizers.scheme import Scheme
from refq.quantizers.ternary import Ternary
from refq.quantizers.uniform import Uniform
from refq.quantizers.vectors import Vectors


def weight_granularity(granularity: Granularity, channel_axis: int, ndim: int) -> Granularity:
    """The granularity along the output channels of a layer.

    Parameters
    ----------
    granularity : as of a recipe, with channels in front; groups lie along input channels, the last axis
    channel_axis : of the layer's weights
    ndim : int

    Notes
    -----
    The filters of a depthwise layer, whose channels are the last axis, have one input channel each: they are a group.
    """
    axis = channel_axis % ndim
    if isinstance(granularity, PerTensor):
        return granularity
    if isinstance(granularity, PerChannelGroup):
        return replace(granularity, axis=axis)
    if isinstance(granularity, PerGroup) and granularity.axis % ndim != axis:
        return granularity if granularity.channel_axis is None else replace(granularity, channel_axis=axis)
    return PerChannel(axis)


def is_coded(scheme: Scheme) -> bool:
    """Whether integers of the scheme's weights need tables or scales of groups, beyond a grid a tensor or channel."""
    if isinstance(scheme.grid, Uniform):
        return isinstance(scheme.granularity, PerGroup)
    if isinstance(scheme.grid, Binary | Ternary):
        return not isinstance(scheme.granularity, PerTensor | PerChannel)
    return True


def coded_weights(
    scheme: Scheme, weights: NDArray[Any], *, channel_axis: int, level_bits: int = 8, least_scale: Any = 0.0
) -> tuple[QParams, NDArray[Any], Codebook]:
    """Integers of the weights of a layer, and how they are held.

    Parameters
    ----------
    scheme : Scheme     its granularity is read by `weight_granularity`
    weights : real, finite
    channel_axis, level_bits, least_scale : see `represent`

    Raises
    ------
    CalibrationError                as the grid's `fit`
    RangeError, UnsupportedError    as `represent`; a granularity that the grid does not take
    """
    axis, grid = channel_axis % weights.ndim, scheme.grid
    granularity = weight_granularity(scheme.granularity, axis, weights.ndim)
    if isinstance(grid, Vectors) and axis:  # no output rows whose places could share a book
        grid = replace(grid, sharing="all")
    fitted = replace(scheme, grid=grid, granularity=granularity).fit(weights)
    if isinstance(fitted, QParams) and fitted.block is not None:
        fitted, _, _ = two_level(fitted, weights.shape, axis, level_bits, least_scale)
    multiplier: Any = getattr(grid, "multiplier", "multiply")
    return represent(
        fitted,
        quantize_array(np.asarray(weights), fitted, scheme.rounding),
        multiplier=multiplier,
        channel_axis=axis,
        level_bits=level_bits,
        least_scale=least_scale,
    )
