"""Granularity: which elements share a scale."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PerTensor:
    """One scale for the whole tensor (layerwise quantization; Gholami et al. 2021, section III-E)."""

    def channel_axis(self, ndim: int) -> int | None:
        """None: no axis has scales of its own."""
        return None


@dataclass(frozen=True, slots=True)
class PerChannel:
    """One scale for every index of `axis` (channelwise quantization; Gholami et al. 2021, section III-E)."""

    axis: int = 0

    def channel_axis(self, ndim: int) -> int | None:
        """The axis, counted from the front."""
        return self.axis % ndim


Granularity = PerTensor | PerChannel
