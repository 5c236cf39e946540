"""Granularity: which elements share a scale.

Every granularity is a block shape (`refq.quantizers.blocks`): the finer the blocks, the smaller the error, the more
scales there are to keep and to multiply by (`refq.quantizers.overhead`).
"""

from __future__ import annotations

from dataclasses import dataclass

from refq.errors import RangeError


@dataclass(frozen=True, slots=True)
class PerTensor:
    """One scale for the whole tensor (layerwise quantization; Gholami et al. 2021, section III-E)."""

    def channel_axis(self, ndim: int) -> int | None:
        """None: no axis has scales of its own."""
        return None

    def block(self, ndim: int) -> tuple[int, ...]:
        """The whole of every axis."""
        return (0,) * ndim


@dataclass(frozen=True, slots=True)
class PerChannel:
    """One scale for every index of `axis` (channelwise quantization; Gholami et al. 2021, section III-E)."""

    axis: int = 0

    def channel_axis(self, ndim: int) -> int | None:
        """The axis, counted from the front."""
        return self.axis % ndim

    def block(self, ndim: int) -> tuple[int, ...]:
        """1 along the axis, the whole of every other one."""
        return _block(ndim, {self.axis: 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class PerChannelGroup:
    """One scale for every `size` neighbouring indices of `axis`; the last group may be smaller.

    Notes
    -----
    Groupwise quantization of Q-BERT (Shen et al. 2020, section 3.2; Gholami et al. 2021, section III-E): matrices of
    heads, and groups of output rows within them, share a range.
    """

    axis: int = 0
    size: int = 64

    def __post_init__(self) -> None:
        _check_size(self.size)

    def block(self, ndim: int) -> tuple[int, ...]:
        """`size` along the axis, the whole of every other one."""
        return _block(ndim, {self.axis: self.size})


@dataclass(frozen=True, slots=True, kw_only=True)
class PerGroup:
    """One scale for every `size` neighbours along `axis`, within every index of `channel_axis`.

    Parameters
    ----------
    axis : int      the axis groups lie along; the input channels of a weight are the last axis
    size : int >= 1     the last group may be smaller
    channel_axis : int or None      None where only the group matters, as in blocks of ONNX (1 on every other axis)

    Notes
    -----
    Sub-channelwise quantization (Gholami et al. 2021, section III-E). ONNX QuantizeLinear with `block_size` has blocks
    of 1 on all axes but one: channel_axis=None.
    """

    axis: int = -1
    size: int = 64
    channel_axis: int | None = 0

    def __post_init__(self) -> None:
        _check_size(self.size)

    def block(self, ndim: int) -> tuple[int, ...]:
        """`size` along the axis, 1 along the channels."""
        if self.channel_axis is None:
            return _block(ndim, {**dict.fromkeys(range(ndim), 1), self.axis % ndim: self.size})
        if self.axis % ndim == self.channel_axis % ndim:
            raise RangeError(f"axis={self.axis} and channel_axis={self.channel_axis} are one axis of {ndim}")
        return _block(ndim, {self.channel_axis: 1, self.axis: self.size})


Granularity = PerTensor | PerChannel | PerChannelGroup | PerGroup


def _check_size(size: int) -> None:
    if size < 1:
        raise RangeError(f"size={size} of a group must be at least 1")


def _block(ndim: int, sizes: dict[int, int]) -> tuple[int, ...]:
    for axis in sizes:
        if not -ndim <= axis < ndim:
            raise RangeError(f"axis={axis} does not exist in a tensor of {ndim} axes")
    at = {axis % ndim: size for axis, size in sizes.items()}
    return tuple(at.get(axis, 0) for axis in range(ndim))
