"""Bytes every layer moves, on chip and across the chip boundary.

On chip a tile re-reads what does not stay: output stationary reads the weights ceil(M/R) times and the inputs
ceil(N/C) times; weight stationary reads the weights once and the inputs ceil(N/C) times; input stationary the reverse.

Off chip: parameters fill the on-chip memory in execution order and the rest is streamed at every inference, so that the
sum is max(0, parameters - capacity); where one memory holds both, the peak of the activations is taken off first.
Activations that do not fit beside each other are written out and read back. Where the link is entropy coded, weights
take the entropy of their codes times `link.coded_pct`, and biases 10 bytes with their multiplier and shift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.output_block import BIAS_BYTES
from hwsim.engines.base import Ints, Layers
from hwsim.workload import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes of each layer: on-chip reads of weights and inputs, writes of outputs; off-chip parameters, activations."""

    weights: Ints
    input: Ints
    output: Ints
    streamed: Ints
    spilled: Ints

    @property
    def dram(self) -> Ints:
        return self.streamed + self.spilled


def compulsory(layers: Layers) -> tuple[Ints, Ints, Ints]:
    """Least bytes of weights, inputs, outputs: every operand moved once."""
    bits = layers.activation_bits
    return layers.weight_bytes, -(-layers.inputs * bits // 8), -(-layers.outputs * bits // 8)


def traffic(layers: Layers, names: tuple[Layer, ...], arch: Arch, activation_peak_bytes: int = 0) -> Traffic:
    """Bytes of every layer on this device; `activation_peak_bytes` is taken from a memory that holds both."""
    weights, inputs, outputs = compulsory(layers)
    again_w, again_x = rereads(layers, arch)
    capacity = arch.capacity_bytes("activations")
    spilled = np.zeros(len(layers), np.int64)
    if np.isfinite(capacity):
        spilled = np.maximum(0, inputs + outputs - int(capacity))
    return Traffic(
        weights=weights * again_w,
        input=inputs * again_x,
        output=outputs,
        streamed=_streamed(names, weight_capacity(arch, activation_peak_bytes), arch),
        spilled=spilled,
    )


def weight_capacity(arch: Arch, activation_peak_bytes: int) -> float:
    """Bytes left for parameters: where one memory holds both, activations come first."""
    shared = sum(m.size_kib.value * 1024 for m in arch.memory if m.holds == "both")
    apart = sum(m.size_kib.value * 1024 for m in arch.memory if m.holds == "activations")
    taken = min(shared, max(0.0, activation_peak_bytes - apart))
    return arch.capacity_bytes("weights") - taken


def _stored_bytes(layer: Layer, arch: Arch) -> int:
    """Bytes of a layer's parameters off chip: as they are, or entropy coded with a scale beside every bias."""
    if arch.link is None or arch.link.coded_pct is None or not layer.nest.weights:
        return layer.weight_bytes
    each = layer.weight_bits if layer.weight_entropy_bits is None else layer.weight_entropy_bits
    bits = min(float(layer.weight_bits), each * arch.link.coded_pct.value / 100)
    return math.ceil(layer.nest.weights * bits / 8) + BIAS_BYTES * layer.nest.G * layer.nest.K


def _streamed(layers: tuple[Layer, ...], capacity: float, arch: Arch) -> Ints:
    """Parameters a layer fetches from outside: what of its own lies beyond the on-chip capacity."""
    used = 0
    fetched: dict[str, int] = {}
    result = np.zeros(len(layers), np.int64)
    for index, layer in enumerate(layers):
        if layer.weight_key and layer.weight_key in fetched:
            result[index] = fetched[layer.weight_key]
            continue
        size = _stored_bytes(layer, arch)
        result[index] = 0 if used + size <= capacity else min(size, used + size - int(capacity))
        used += size
        fetched[layer.weight_key] = int(result[index])
    return result


def rereads(layers: Layers, arch: Arch) -> tuple[Ints, Ints]:
    """How often the array reads the weights and the inputs of every layer."""
    ones = np.ones(len(layers), np.int64)
    if arch.array is None:
        return ones, ones
    rows, cols = int(arch.array.rows.value), int(arch.array.cols.value)
    is_gemm = np.isin(layers.kind, ("mac", "matmul"))
    by_filters, by_pixels = -(-layers.N // cols), -(-layers.M // rows)
    columns_of_pixels = -(-layers.M // cols)
    weights, inputs = {
        "os": (by_pixels, by_filters),
        "ws": (ones, by_filters),
        "is": (columns_of_pixels, ones),
    }[arch.array.dataflow]
    return np.where(is_gemm, np.maximum(weights, 1), 1), np.where(is_gemm, np.maximum(inputs, 1), 1)
