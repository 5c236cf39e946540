"""Tables of specifications of graphics processors."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class Rate(Frozen, frozen=True):
    """What the matrix units do at one precision, and the kernels that drive them."""

    precision: str
    macs_per_cycle: Quantity
    """Of the whole device, from the peak throughput"""
    reached_pct: Quantity
    """Share of it that kernels with enough work and operands at hand reach"""
    tile_k: Quantity
    """Reduction of one instruction"""
    block_m: Quantity | None = None
    block_n: Quantity | None = None
    """Of kernels at this precision, where they differ from the device's"""


class TensorCores(Frozen, frozen=True):
    """Matrix units behind one cache and one memory, driven kernel by kernel."""

    rates: tuple[Rate, ...]
    multiprocessors: Quantity
    tile_m: Quantity
    tile_n: Quantity
    """Outputs of one instruction"""
    block_m: Quantity
    block_n: Quantity
    """Outputs along each side of the largest block of threads: pixels, filters"""
    memory_mb_per_s: Quantity
    memory_reached_pct: Quantity
    cache_mb_per_s: Quantity
    cache_reached_pct: Quantity
    cache_kib: Quantity
    """The cache that all multiprocessors share"""
    kernel_us: Quantity
    """From the start of a kernel to its first products, and from its last to the end"""
    depthwise_reached_pct: Quantity
    """Share of the peak in kernels that use the units for one channel at a time"""
    gathered_per_cycle: Quantity
    """Elements a cycle that one multiprocessor fetches one by one, where a pixel's channels do not fill a word"""
    result_bytes: Quantity | None = None
    """Of one sum of a layer of integers as a kernel writes it; if absent, a kernel requantizes what it writes"""
    memory_pj_per_byte: Quantity | None = None
    """Energy of a byte to or from memory, its interface included"""
    fused_elementwise: bool = False
    """Whether sums of branches and the like are part of the kernel before them"""

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(rate.precision for rate in self.rates)
