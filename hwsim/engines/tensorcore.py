"""Graphics processor: matrix units (tensor cores) behind one memory, one kernel a layer.

    padded   = GEMM with M, N, K rounded up to the tiles of one instruction
    compute  = padded macs / (macs a cycle at this precision * share reached * multiprocessors in use)
    memory   = ((weights + inputs) bits / 8 + outputs * bytes of a result) / (bandwidth * share reached)
    layer    = (compute^3 + memory^3)^(1/3) + launch: the larger of the two, and some of the other near their balance
    other layers = (inputs + outputs) bits / 8 / (bandwidth * share reached) + launch

A kernel with fewer tiles than the device has multiprocessors leaves some idle. Results leave a kernel as wide as they
were summed (`result_bytes`), so narrow operands do not help a layer that is bound by its outputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.gpu import Rate
from hwsim.arch.spec import Arch
from hwsim.engines.base import Cycles, Floats, Ints, Layers

_SHARPNESS = 3
_ON_UNITS = ("mac", "matmul", "depthwise")
_BLOCK = 64
"""Outputs along each side of what one multiprocessor works on"""


def peak_macs_per_cycle(arch: Arch) -> float:
    """Multiply-accumulates a cycle at the narrowest precision."""
    assert arch.tensorcore is not None
    return max(rate.macs_per_cycle.value for rate in arch.tensorcore.rates)


def _column(layers: Layers, rates: dict[str, Rate], field: str) -> Floats:
    """A field of the rate of every layer's precision; the first rate's for layers without MACs."""
    first = next(iter(rates.values()))
    names = (f"w{w}a{a}" for w, a in zip(layers.weight_bits.tolist(), layers.activation_bits.tolist(), strict=True))
    return np.array([getattr(rates.get(name, first), field).value for name in names], np.float64)


def _up(size: Ints, tile: float | Floats) -> Floats:
    return np.ceil(size / tile) * tile


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    t = arch.tensorcore
    assert t is not None
    rates = {rate.precision: rate for rate in t.rates}
    on_units: NDArray[np.bool_] = np.isin(layers.kind, _ON_UNITS)
    depthwise = layers.kind == "depthwise"
    M, N, K = np.maximum(layers.M, 1), np.maximum(layers.N, 1), np.maximum(layers.K, 1)
    padded = _up(M, t.tile_m.value) * _up(N, t.tile_n.value) * _up(K, _column(layers, rates, "tile_k")) * layers.groups
    work = np.where(depthwise, layers.macs, padded)
    blocks = np.ceil(M / _BLOCK) * np.ceil(N / _BLOCK) * layers.groups
    busy = np.minimum(1.0, blocks / t.multiprocessors.value)
    reached = _column(layers, rates, "reached_pct") / 100 * np.where(depthwise, 1.0, busy)
    reached = np.where(depthwise, t.depthwise_reached_pct.value / 100, reached)
    compute = np.where(on_units, work / (_column(layers, rates, "macs_per_cycle") * reached), 0.0)
    rate = t.memory_mb_per_s.value * t.memory_reached_pct.value / 100 / arch.clock_mhz.value
    read = layers.inputs * layers.activation_bits / 8 + layers.weight_bytes
    written = layers.outputs * np.where(on_units, t.result_bytes.value, layers.activation_bits / 8)
    memory = (read + written) / rate
    both = (compute**_SHARPNESS + memory**_SHARPNESS) ** (1 / _SHARPNESS)
    launch = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    zero = np.zeros(len(layers))
    return Cycles(compute=compute, fill=zero, stall=both - compute, overhead=np.full(len(layers), launch))
