"""The layers a device's compiler leaves on the host.

latency_us = max(macs + operations, inputs + outputs) / operations_per_us + bytes both ways / link bandwidth
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spec import Arch
from hwsim.engines.base import Floats, Layers


def on_host(layers: Layers, arch: Arch) -> NDArray[np.bool_]:
    """Which layers stay on the host: its listed operations, and all that follow the first where the device says so."""
    if arch.host is None:
        return np.zeros(len(layers), np.bool_)
    listed = np.isin(layers.op, arch.host.ops)
    return np.logical_or.accumulate(listed) if arch.host.rest_follows else listed


def latency_us(layers: Layers, arch: Arch) -> Floats:
    """Microseconds of every layer on the host, operands carried over the link included."""
    if arch.host is None:
        return np.zeros(len(layers))
    work = np.maximum(layers.macs + layers.operations, layers.inputs + layers.outputs)
    carried = (layers.inputs + layers.outputs) * layers.activation_bits / 8
    link = carried / arch.link.bandwidth_mb_per_s.value if arch.link is not None else 0.0
    return work / arch.host.operations_per_us.value + link
