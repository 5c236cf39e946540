"""Tables of specifications whose engine computes blocks of outputs in parallel."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class MicroBlock(Frozen, frozen=True):
    """Outputs computed at once; `kinds` of layers it serves, all if empty."""

    height: Quantity
    width: Quantity
    depth: Quantity
    kinds: tuple[str, ...] = ()


class Port(Frozen, frozen=True):
    """A memory as a micro-block array sees it: bursts in flight hide its latency."""

    burst_bytes: Quantity
    read_cycles: Quantity
    write_cycles: Quantity
    reads: Quantity
    """Reads in flight on one port; `writes` likewise"""
    writes: Quantity
    ports: Quantity
    bytes_per_cycle: Quantity | None = None
    """Of all ports; link.bandwidth_mb_per_s if absent"""


class Channels(Frozen, frozen=True):
    """Bytes in flight on each of the array's read channels; a memory's bursts and latency make a rate of them."""

    moves_bytes: Quantity
    """From memory to memory"""
    elements_bytes: Quantity
    """Inputs of elementwise work"""
    weights_bytes: Quantity
    inputs_bytes: Quantity
    scales_bytes: Quantity


class MicroArray(Frozen, frozen=True):
    """Array of micro-blocks with its buffers, output unit and memories (Ethos-U class)."""

    blocks: tuple[MicroBlock, ...]
    cores: Quantity
    precisions: tuple[str, ...]
    largest_height: Quantity
    largest_width: Quantity
    largest_depth: Quantity
    depth_first_channels: Quantity
    """Channels of an input block; part_kernel_channels where taps share a step"""
    part_kernel_channels: Quantity
    part_kernel_taps: Quantity
    """Taps that share a step when the compiler weighs part kernel, of which part_kernel_least_taps are always paid"""
    part_kernel_least_taps: Quantity
    part_kernel_grain: Quantity
    """Channels are padded to it in part kernel"""
    depthwise_taps: Quantity
    """Stored weights of a depthwise window are padded to it"""
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
    near: Port
    """On-chip memory"""
    far: Port | None = None
    """Memory behind the link, which holds the parameters; on chip if absent"""
    channels: Channels | None = None
    """Nothing but the port limits a channel if absent"""
    shared_kib: Quantity | None = None
    """One buffer for inputs and sums; else input_kib and sums_kib, input_bricks of 16 channels, output_kib"""
    input_granule_kib: Quantity | None = None
    sums_granule_kib: Quantity | None = None
    input_kib: Quantity | None = None
    sums_kib: Quantity | None = None
    output_kib: Quantity | None = None
    input_bricks: Quantity | None = None
    spills: bool = False
    """Activations that do not fit the on-chip memory, inputs and outputs of the model lie outside"""
    wide_steps: bool = False
    """Depth-first steps take as many cycles as their channels need, not always four"""
    skips_zeros: bool = False
    """Two of four weights that are zero cost nothing: layers of one or two input channels"""
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
