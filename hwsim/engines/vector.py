"""Scalar or SIMD core with a software stack (Cortex-M class).

    cycles = products * cycles_per_mac(kernel) * width factor + outputs * cycles_per_output
             + operations * cycles_per_operation + gathered * cycles_per_gathered + runs * cycles_per_run
             + taps * cycles_per_tap + parameter bytes * clock / bandwidth of their memory

The kernel is convolution, pointwise (1x1 window), depthwise or dense (one output pixel). A convolution first gathers
its window into a column (im2col): output pixels * reduction elements, once for all filters, in runs of the channels of
one pixel: output pixels * window. Depthwise kernels read such runs too. Kernels without a column walk the window for
every output: outputs * window taps. Products are MACs with the reduction rounded up to whole vectors of `lanes`,
of a width with its own the channels of a pixel.
Without a factor for their widths, narrower operands save bytes, not cycles; several cores are one with cycles divided
by them. Parameters are read from their memory once a layer, while the core waits.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from hwsim.arch.kernels import Width
from hwsim.arch.spec import Arch, Quantity
from hwsim.arch.vary import whole
from hwsim.engines.base import Cycles, Floats, Layers, by_width

BROADCASTS = True
MAC_KINDS = ("mac", "matmul", "depthwise")


def peak_macs_per_cycle(arch: Arch) -> Any:
    """Multiply-accumulates a cycle in the fastest kernel."""
    k = arch.kernels
    assert k is not None
    rates = (k.convolution_cycles_per_mac, k.pointwise_cycles_per_mac, k.depthwise_cycles_per_mac)
    fastest = reduce(np.minimum, (rate.value for rate in (*rates, k.dense_cycles_per_mac)))
    widest = reduce(np.minimum, (entry.factor.value for entry in k.width), 1.0)
    return 1 / np.maximum(fastest * widest, 1e-9)


def _width_factor(layers: Layers, arch: Arch) -> Floats:
    assert arch.kernels is not None
    channels = layers.K / np.maximum(layers.window, 1)

    def factor(entry: Width) -> Any:
        if entry.lanes is None:
            return entry.factor.value
        lanes = entry.lanes.value
        rounded = np.ceil(channels / lanes) * lanes / np.maximum(channels, 1)
        return entry.factor.value * np.where(layers.kind == "depthwise", 1.0, rounded)

    return by_width(layers, {entry.precision: factor(entry) for entry in arch.kernels.width}, 1.0)


def _waiting(layers: Layers, arch: Arch) -> Any:
    """Cycles in which parameters come from their memory; none where its bandwidth is not stated."""
    found = [m.bandwidth_mb_per_s for m in arch.memory if m.holds in ("weights", "both")]
    slowest = [1 / bandwidth.value for bandwidth in found if bandwidth is not None]
    return layers.weight_bytes * (reduce(np.maximum, slowest, 0.0) * arch.clock_mhz.value)


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer by kernel; the formula stands at the top of this module."""
    k = arch.kernels
    assert k is not None

    def cost(of: Quantity | None) -> Any:
        return 0.0 if of is None else of.value

    is_mac = np.isin(layers.kind, MAC_KINDS)
    is_depthwise = layers.kind == "depthwise"
    per_mac = np.select(
        [is_depthwise, layers.M == 1, layers.window == 1],
        [k.depthwise_cycles_per_mac.value, k.dense_cycles_per_mac.value, k.pointwise_cycles_per_mac.value],
        k.convolution_cycles_per_mac.value,
    )
    lanes: Any = 1 if k.lanes is None else whole(k.lanes)
    rounded = np.where(is_depthwise, layers.K, -(-layers.K // lanes) * lanes)
    products = np.where(layers.K > 0, layers.macs * (rounded / np.maximum(layers.K, 1)), 0.0)
    outputs = layers.outputs * k.cycles_per_output.value
    scalar = np.maximum(layers.operations, layers.outputs) * k.cycles_per_operation.value
    windows = layers.window > 1
    columns = windows & is_mac & ~is_depthwise
    gathered = np.where(columns, layers.M * layers.K * layers.groups, 0) * cost(k.cycles_per_gathered)
    runs = np.where(windows, layers.M * layers.window, 0) * cost(k.cycles_per_run)
    taps = np.where(is_depthwise | (layers.M == 1), 0, layers.outputs * layers.window) * cost(k.cycles_per_tap)
    kernel = products * per_mac * _width_factor(layers, arch) + outputs + gathered + runs + taps
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    zero = np.zeros(len(layers))
    return Cycles(
        compute=np.where(is_mac, kernel, scalar), fill=zero, stall=_waiting(layers, arch), overhead=zero + overhead
    )
