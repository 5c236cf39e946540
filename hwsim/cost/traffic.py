"""Bytes every layer moves, on chip and across the chip boundary.

On chip a tile re-reads what does not stay: output stationary reads the weights ceil(M/R) times and the inputs
ceil(N/C) times; weight stationary reads the weights once and the inputs ceil(N/C) times; input stationary the reverse.

Off chip: parameters fill the on-chip memory in execution order and the rest is streamed at every inference, so that the
sum is max(0, parameters - capacity); where one memory holds both, the peak of the activations is taken off first.
Activations that do not fit beside each other are written out and read back. Where the link is entropy coded, weights
take the entropy of their codes times `link.coded_pct`, and biases 10 bytes with their multiplier and shift; with
`link.whole_tiles` they come as tiles of the array, ceil(C / rows) * ceil(K / cols) a tap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.arch.vary import whole
from hwsim.engines.base import Ints, Layers
from hwsim.mapping.block_shape import BIAS_BYTES

_EVERYTHING = 1 << 62
"""Bytes no model has"""


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


def traffic(layers: Layers, arch: Arch, activation_peak_bytes: int = 0) -> Traffic:
    """Bytes of every layer on this device; `activation_peak_bytes` is taken from a memory that holds both."""
    weights, inputs, outputs = compulsory(layers)
    again_w, again_x = rereads(layers, arch)
    room = arch.capacity_bytes("activations")
    return Traffic(
        weights=weights * again_w,
        input=inputs * again_x,
        output=outputs,
        streamed=_streamed(layers, weight_capacity(arch, activation_peak_bytes), arch),
        spilled=_beyond(inputs + outputs, room, inputs + outputs),
    )


def weight_capacity(arch: Arch, activation_peak_bytes: int) -> Any:
    """Bytes left for parameters: where one memory holds both, activations come first."""
    shared = sum(m.size_kib.value * 1024 for m in arch.memory if m.holds == "both")
    apart = sum(m.size_kib.value * 1024 for m in arch.memory if m.holds == "activations")
    taken = np.minimum(shared, np.maximum(0.0, activation_peak_bytes - apart))
    return arch.capacity_bytes("weights") - taken


def _stored_bytes(layers: Layers, arch: Arch) -> Any:
    """Bytes of each layer's parameters off chip: as they are, padded to tiles of the array, or entropy coded with
    a scale beside every bias."""
    if arch.link is not None and arch.link.whole_tiles and arch.array is not None:
        rows, cols = whole(arch.array.rows), whole(arch.array.cols)
        taps = np.maximum(layers.window, 1)
        tiles = -(-(layers.K // taps) // rows) * -(-layers.N // cols) * taps * layers.groups
        return np.where(layers.weights > 0, tiles * rows * cols * layers.weight_bits // 8, layers.weight_bytes)
    if arch.link is None or arch.link.coded_pct is None:
        return layers.weight_bytes
    bits = np.minimum(layers.weight_bits, layers.weight_entropy_bits * arch.link.coded_pct.value / 100)
    coded = np.ceil(layers.weights * bits / 8).astype(np.int64) + BIAS_BYTES * layers.groups * layers.N
    return np.where(layers.weights > 0, coded, layers.weight_bytes)


def _streamed(layers: Layers, capacity: Any, arch: Arch) -> Ints:
    """Parameters a layer fetches from outside: what of its own lies beyond the on-chip capacity; shared ones count at
    their first use."""
    sizes = _stored_bytes(layers, arch)
    first = layers.owner == np.arange(len(layers))
    ends = np.cumsum(np.where(first, sizes, 0), axis=-1)
    return _beyond(ends, capacity, sizes)[..., layers.owner]


def _beyond(end: Ints, capacity: Any, most: Ints) -> Ints:
    """Bytes of each layer that lie beyond the capacity, at most all of its own."""
    inside = np.floor(np.minimum(capacity, float(_EVERYTHING))).astype(np.int64)
    return np.clip(end - inside, 0, most)


def rereads(layers: Layers, arch: Arch) -> tuple[Ints, Ints]:
    """How often the array reads the weights and the inputs of every layer."""
    ones = np.ones(len(layers), np.int64)
    if arch.array is None:
        return ones, ones
    rows, cols = whole(arch.array.rows), whole(arch.array.cols)
    is_gemm = np.isin(layers.kind, ("mac", "matmul"))
    by_filters, by_pixels = -(-layers.N // cols), -(-layers.M // rows)
    columns_of_pixels = -(-layers.M // cols)
    weights, inputs = {
        "os": (by_pixels, by_filters),
        "ws": (ones, by_filters),
        "is": (columns_of_pixels, ones),
    }[arch.array.dataflow]
    return np.where(is_gemm, np.maximum(weights, 1), 1), np.where(is_gemm, np.maximum(inputs, 1), 1)
