"""Cycles of a software stack on one core, or on a few that share a layer: the table [kernels]."""

from __future__ import annotations

from typing import Literal

from hwsim.arch.quantity import Frozen, Quantity

Family = Literal["generated", "cmsis-nn", "cmsis-nn-mve", "scalar", "reference", "packed-simd", "threaded", "engine"]


class Width(Frozen, frozen=True):
    """Cycles of a MAC at other bit widths over those at 8 bits."""

    precision: str
    factor: Quantity
    lanes: Quantity | None = None
    """Channels of a pixel that one instruction takes; others are rounded up to them"""


class Kernels(Frozen, frozen=True):
    """Cycles of a software stack on a scalar core."""

    convolution_cycles_per_mac: Quantity
    pointwise_cycles_per_mac: Quantity
    depthwise_cycles_per_mac: Quantity
    dense_cycles_per_mac: Quantity
    cycles_per_output: Quantity
    cycles_per_operation: Quantity
    precisions: tuple[str, ...]
    family: Family = "generated"
    """Kind of kernels: which typical cycles of specs/technology/priors.toml a fit starts from"""
    cycles_per_gathered: Quantity | None = None
    cycles_per_run: Quantity | None = None
    """Of copying one pixel of a window, whatever its channels: once for all filters, and in depthwise layers"""
    cycles_per_tap: Quantity | None = None
    """Of one pixel of a window for every output, where kernels loop over the window inside the filters"""
    lanes: Quantity | None = None
    """Products of one instruction along the reduction, which is rounded up to them"""
    width: tuple[Width, ...] = ()
