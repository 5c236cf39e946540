"""Tables of specifications of graphics processors."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class Rate(Frozen, frozen=True):
    """What the matrix units do at one precision."""

    precision: str
    macs_per_cycle: Quantity
    """Of the whole device, from the peak throughput"""
    reached_pct: Quantity
    """Share of it that kernels with enough work reach"""
    tile_k: Quantity
    """Reduction of one instruction"""


class TensorCores(Frozen, frozen=True):
    """Matrix units behind one memory, driven kernel by kernel."""

    rates: tuple[Rate, ...]
    multiprocessors: Quantity
    tile_m: Quantity
    tile_n: Quantity
    """Outputs of one instruction"""
    memory_mb_per_s: Quantity
    memory_reached_pct: Quantity
    result_bytes: Quantity
    """Of one output of a multiply-accumulate kernel as it is written"""
    depthwise_reached_pct: Quantity
    """Share of the peak in kernels that use the units for one channel at a time"""

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(rate.precision for rate in self.rates)
