"""Scalar or SIMD core with a software stack (Cortex-M class).

    cycles = macs * cycles_per_mac(kernel) * width factor + outputs * cycles_per_output
             + operations * cycles_per_operation + gathered * cycles_per_gathered

The kernel is convolution, pointwise (1x1 window), depthwise or dense (one output pixel). A convolution first gathers
its window into a column (im2col): output pixels * reduction elements, once for all filters. Without a
factor for their widths, narrower operands save bytes, not cycles; several cores are one with cycles divided by them.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from hwsim.arch.spec import Arch
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
    return by_width(layers, {entry.precision: entry.factor.value for entry in arch.kernels.width}, 1.0)


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer by kernel; the formula stands at the top of this module."""
    k = arch.kernels
    assert k is not None
    is_mac = np.isin(layers.kind, MAC_KINDS)
    per_mac = np.select(
        [layers.kind == "depthwise", layers.M == 1, layers.window == 1],
        [k.depthwise_cycles_per_mac.value, k.dense_cycles_per_mac.value, k.pointwise_cycles_per_mac.value],
        k.convolution_cycles_per_mac.value,
    )
    outputs = layers.outputs * k.cycles_per_output.value
    scalar = np.maximum(layers.operations, layers.outputs) * k.cycles_per_operation.value
    gathers = is_mac & (layers.kind != "depthwise") & (layers.window > 1)
    each = 0.0 if k.cycles_per_gathered is None else k.cycles_per_gathered.value
    gathered = np.where(gathers, layers.M * layers.K * layers.groups, 0) * each
    compute = np.where(is_mac, layers.macs * per_mac * _width_factor(layers, arch) + outputs + gathered, scalar)
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    zero = np.zeros(len(layers))
    return Cycles(compute=compute, fill=zero, stall=zero, overhead=zero + overhead)
