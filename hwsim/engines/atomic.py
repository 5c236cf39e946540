"""Channel-parallel array: K_a dot products over C_a channels of one pixel a cycle (NVDLA class), direct convolution.

    compute  = ceil(C / C_a) * ceil(K / K_a) * FY * FX * M                      for each group and image
    off chip = min(weights * ceil(inputs / half) + inputs, inputs * ceil(weights / half) + weights) + outputs

Every layer reads its operands from memory and writes its outputs there. Where inputs and weights do not fit the
convolution buffer together, each takes half of it, and the one that costs less is fetched again for every half of the
other. Sums of tensors and pooling run beside the array: elements / elements a cycle; a sum reads one operand more. The
link works while the array does (`link.overlapped`).
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Cycles, Floats, Layers

_ON_ARRAY = ("mac", "matmul", "depthwise")


def peak_macs_per_cycle(arch: Arch) -> float:
    """channels * kernels."""
    assert arch.atomic is not None
    return arch.atomic.channels.value * arch.atomic.kernels.value


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    unit = arch.atomic
    assert unit is not None
    taps = np.maximum(layers.window, 1)
    steps = np.ceil(layers.K / taps / unit.channels.value) * np.ceil(layers.N / unit.kernels.value)
    on_array = np.isin(layers.kind, _ON_ARRAY)
    work = np.maximum(layers.operations, layers.outputs) / unit.elements_per_cycle.value
    compute = np.where(on_array, steps * taps * layers.M * layers.groups, work)
    zero = np.zeros(len(layers))
    overhead = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(compute=compute, fill=zero, stall=zero, overhead=np.full(len(layers), overhead))


def _fetched(inputs: Floats, weights: Floats, room: float) -> tuple[Floats, Floats]:
    """Bytes of inputs and of weights, the one fetched again for every half buffer of the other."""
    half = room / 2
    again_weights = weights * np.ceil(inputs / half) + inputs
    again_inputs = inputs * np.ceil(weights / half) + weights
    fits = inputs + weights <= room
    keep = fits | (again_weights <= again_inputs)
    return (
        np.where(keep, inputs, inputs * np.ceil(weights / half)),
        np.where(fits | ~keep, weights, weights * np.ceil(inputs / half)),
    )


def moved(layers: Layers, arch: Arch) -> Traffic:
    """Bytes of every layer: all of them cross the chip boundary."""
    unit = arch.atomic
    assert unit is not None
    on_array = np.isin(layers.kind, _ON_ARRAY)
    size = layers.activation_bits / 8
    inputs, outputs = layers.inputs * size, layers.outputs * size
    read, weights = _fetched(inputs, layers.weight_bytes.astype(np.float64), unit.buffer_kib.value * 1024)
    chained = layers.kind == "elementwise"
    read = np.where(on_array, read, np.where(chained, np.maximum(0.0, inputs - outputs), inputs))
    written = np.where(chained, 0.0, outputs)
    whole = [np.ceil(column).astype(np.int64) for column in (weights, read, written)]
    return Traffic(weights=whole[0], input=whole[1], output=whole[2], streamed=whole[0], spilled=whole[1] + whole[2])
