"""Tables of specifications whose engine computes blocks of outputs in parallel."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class MicroBlock(Frozen, frozen=True):
    """Outputs computed at once; `kinds` of layers it serves, all if empty."""

    height: Quantity
    width: Quantity
    depth: Quantity
    kinds: tuple[str, ...] = ()


class MicroArray(Frozen, frozen=True):
    """Array of micro-blocks with its buffers, output unit and on-chip memory port (Ethos-U class)."""

    blocks: tuple[MicroBlock, ...]
    cores: Quantity
    precisions: tuple[str, ...]
    largest_height: Quantity
    largest_width: Quantity
    largest_depth: Quantity
    depth_first_channels: Quantity
    part_kernel_channels: Quantity
    part_kernel_taps: Quantity
    """Taps that share a step when the compiler weighs part kernel, of which part_kernel_least_taps are always paid"""
    part_kernel_least_taps: Quantity
    part_kernel_grain: Quantity
    """Channels are padded to it in part kernel"""
    weights_per_cycle: Quantity
    """Decoded for one core"""
    latency_cycles: Quantity
    cycles_per_tap: Quantity
    """Of pooling"""
    cycles_per_output: Quantity
    cycles_per_add: Quantity
    cycles_per_multiply: Quantity
    cycles_per_maximum: Quantity
    cycles_per_lookup: Quantity
    memory_cycles: Quantity
    """Latency of the on-chip memory"""
    parameter_cycles: Quantity
    """Latency of the memory that holds biases and scales"""
    bytes_per_cycle: Quantity
    burst_bytes: Quantity
    transfer_bytes_per_cycle: Quantity | None = None
    """Rate at which one block moves; bytes_per_cycle if absent"""
    shared_kib: Quantity | None = None
    """One buffer for inputs and sums; else input_kib and sums_kib"""
    input_kib: Quantity | None = None
    sums_kib: Quantity | None = None
    input_granule_kib: Quantity | None = None
    sums_granule_kib: Quantity | None = None
    scale_bytes_per_cycle: Quantity | None = None
    """Rate at which biases and scales arrive, where they come from outside"""
    picture_bytes_per_cycle: Quantity | None = None
    """Rate at which inputs of up to four channels arrive, where the model's input lies outside"""
    wide_steps: bool = False
    """Depth-first steps take as many cycles as their channels need, not always four"""
    folds_stride: bool = False
    """The compiler turns a horizontal stride that divides the window into channels, where few channels are used"""
    chained: bool = False
    """Elementwise layers run in the output unit of their producer"""


class Atomic(Frozen, frozen=True):
    """Array of `kernels` dot products over `channels`, fed from a convolution buffer (NVDLA class)."""

    channels: Quantity
    kernels: Quantity
    precisions: tuple[str, ...]
    buffer_kib: Quantity
    weight_share_pct: Quantity
    """Share of the buffer that weights fill before inputs are fetched again"""
