"""Channel-parallel array: K_a dot products over C_a channels of one pixel a cycle (NVDLA class), direct convolution.

    compute  = ceil(C / C_a) * ceil(K / K_a) * FY * FX * M                      for each group and image
    picture  = ceil(C * FX / C_a) * ceil(K / K_a) * FY * M                      up to 4 channels: a row of the window
    off chip = weights + inputs * ceil(weights / weight share of the buffer) + outputs

Every layer reads its operands from memory and writes its outputs there. Where the inputs fit the convolution buffer
beside a group of K_a kernels, or the weights beside them, inputs are read once; else once for every share of the
buffer that the weights fill (NVDLA primer, "MAC units and memory bandwidth"). Sums of tensors and pooling run in units
behind the array, while the next layer does: a sum reads one operand more, pooling reads and writes. The link works as
the array does (`link.overlapped`).
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Cycles, Floats, Layers

_ON_ARRAY = ("mac", "matmul", "depthwise")
_PICTURE_CHANNELS = 4


def peak_macs_per_cycle(arch: Arch) -> float:
    """channels * kernels."""
    assert arch.atomic is not None
    return arch.atomic.channels.value * arch.atomic.kernels.value


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    unit = arch.atomic
    assert unit is not None
    taps = np.maximum(layers.window, 1)
    channels = layers.K / taps
    window = np.ceil(channels / unit.channels.value) * taps
    rows = np.ceil(channels * layers.FX / unit.channels.value) * layers.FY
    steps = np.where(channels * layers.groups <= _PICTURE_CHANNELS, rows, window)
    products = steps * np.ceil(layers.N / unit.kernels.value) * layers.M * layers.groups
    compute = np.where(np.isin(layers.kind, _ON_ARRAY), products, 0.0)
    zero = np.zeros(len(layers))
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=zero, stall=zero, overhead=np.full(len(layers), overhead))


def _reads(layers: Layers, arch: Arch) -> Floats:
    """How often the inputs of a layer are fetched."""
    unit = arch.atomic
    assert unit is not None
    room = unit.buffer_kib.value * 1024
    inputs, weights = layers.inputs * layers.activation_bits / 8, layers.weight_bytes.astype(np.float64)
    group = unit.kernels.value * layers.K * layers.weight_bits / 8
    held = inputs + np.minimum(weights, group) <= room
    return np.where(held, 1.0, np.maximum(1.0, np.ceil(weights / (room * unit.weight_share_pct.value / 100))))


def moved(layers: Layers, arch: Arch) -> Traffic:
    """Bytes of every layer: all of them cross the chip boundary."""
    on_array = np.isin(layers.kind, _ON_ARRAY)
    size = layers.activation_bits / 8
    inputs, outputs = layers.inputs * size, layers.outputs * size
    chained = layers.kind == "elementwise"
    beside = np.where(chained, np.maximum(0.0, inputs - outputs), inputs)
    read = np.where(on_array, inputs * _reads(layers, arch), beside)
    written = np.where(chained, 0.0, outputs)
    weights, read, written = (
        np.ceil(column).astype(np.int64) for column in (layers.weight_bytes.astype(np.float64), read, written)
    )
    return Traffic(weights=weights, input=read, output=written, streamed=weights, spilled=read + written)
