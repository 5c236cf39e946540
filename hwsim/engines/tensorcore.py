"""Graphics processor: matrix units (tensor cores) behind one cache and one memory, one kernel a layer.

    blocks  = ceil(M / block_m) * ceil(N / block_n) * groups, in waves of one a multiprocessor
    share   = blocks / (waves * multiprocessors)
    compute = M N K rounded up to the tiles of an instruction / (macs a cycle at this precision * reached * share)
    cache   = (weights * ceil(M / block_m) + K / taps * M * ceil(N / block_n)) / (bandwidth * reached * share)
    memory  = (weights + inputs + outputs as written) / (bandwidth * reached), of the cache where it holds them all
    kernel  = (compute^3 + cache^3 + memory^3)^(1/3) + gathered inputs / rate + start and drain of a kernel,
              the least over blocks of full, half and quarter sides
    layer   = kernel + launch, and where sums were written wider than codes: (sums + codes) / bandwidth as above
    other layers = (inputs + outputs) / bandwidth as above + start and drain + launch

The largest of the three bounds decides, and some of the others near their balance. A block reads the weights of its
filters and the inputs of its pixels (taps of a window overlap) once, whatever other blocks read: with few pixels a
block, weights cross the cache again and again. Sums of 32 bits do not shrink with the operands, and a pass over them
makes the codes. A stride that skips whole pixels skips their bytes. Pixels whose channels do not fill a word, such as
those of pictures, are gathered element by element. Fused elementwise layers cost the reading of their other operand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.gpu import TensorCores
from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Cycles, Floats, Layers

Marks = NDArray[np.bool_]

_SHARPNESS = 3
_SIDES = (1.0, 0.5, 0.25)
"""Sides of the blocks of threads that a library or a tuner tries, over the largest"""
_ON_UNITS = ("mac", "matmul", "depthwise")
_WIDEST_CODE = 8
_WORD_BITS = 32


@dataclass(frozen=True, slots=True)
class _Kernels:
    """Cycles of each layer's kernel: products, waiting, start and drain; the pass behind it. Bytes blocks read."""

    compute: Floats
    waiting: Floats
    ends: Floats
    requantize: Floats
    weights: Floats
    inputs: Floats


def peak_macs_per_cycle(arch: Arch) -> float:
    """Multiply-accumulates a cycle at the narrowest precision."""
    assert arch.tensorcore is not None
    return max(rate.macs_per_cycle.value for rate in arch.tensorcore.rates)


def _column(layers: Layers, t: TensorCores, field: str) -> Floats:
    """A field of the rate of every layer's precision, or the device's; the first rate's for layers without MACs."""
    rates = {rate.precision: rate for rate in t.rates}
    names = (f"w{w}a{a}" for w, a in zip(layers.weight_bits.tolist(), layers.activation_bits.tolist(), strict=True))
    found = [getattr(rates.get(name, t.rates[0]), field) or getattr(t, field) for name in names]
    return np.array([number.value for number in found], np.float64)


def _up(size: Any, tile: Any) -> Floats:
    return np.ceil(np.maximum(size, 1) / tile) * tile


def _memory(layers: Layers, t: TensorCores) -> tuple[Floats, Floats]:
    """(bytes of operands and results of each kernel, bytes of the pass that requantizes them)."""
    on_units = np.isin(layers.kind, _ON_UNITS)
    code = layers.activation_bits / 8
    wide = on_units & (layers.activation_bits <= _WIDEST_CODE)
    written = code if t.result_bytes is None else np.where(wide, t.result_bytes.value, code)
    seen = np.minimum(1.0, np.maximum(layers.window, 1) / np.maximum(layers.SX * layers.SY, 1))
    read = layers.inputs * np.where(on_units, seen, 1.0) * code + layers.weight_bytes
    return read + layers.outputs * written, np.where(written > code, layers.outputs * (written + code), 0.0)


def _fused(layers: Layers, t: TensorCores) -> Marks:
    return (layers.kind == "elementwise") & t.fused_elementwise


def _own(layers: Layers, t: TensorCores) -> Floats:
    """Share of a layer's bytes that move for it alone: of a fused elementwise layer, its other operand."""
    other = np.maximum(0, layers.inputs - layers.outputs) / np.maximum(layers.inputs + layers.outputs, 1)
    return np.where(_fused(layers, t), other, 1.0)


def _gathered(layers: Layers, t: TensorCores, gemm: Marks) -> Floats:
    """Cycles of fetching one by one the inputs whose channels do not fill a word."""
    few = gemm & (layers.window > 1) & (layers.K * layers.activation_bits < _WORD_BITS * layers.window)
    elements = np.where(few, layers.M * layers.K * layers.groups, 0)
    return elements / (t.gathered_per_cycle.value * t.multiprocessors.value)


def _cache_rate(t: TensorCores, arch: Arch) -> float:
    """Bytes a cycle out of the cache that all multiprocessors share."""
    return t.cache_mb_per_s.value * t.cache_reached_pct.value / 100 / arch.clock_mhz.value


def _moving(moved: Floats, t: TensorCores, arch: Arch) -> Floats:
    """Cycles of moving these bytes: within the cache if it holds them all, else to and from memory."""
    far = t.memory_mb_per_s.value * t.memory_reached_pct.value / 100 / arch.clock_mhz.value
    return moved / np.where(moved <= t.cache_kib.value * 1024, np.maximum(far, _cache_rate(t, arch)), far)


def _blocked(layers: Layers, t: TensorCores, side: float) -> tuple[Floats, Floats, Floats, Floats]:
    """(MACs with padding, share of the multiprocessors, bytes of weights and of inputs that such blocks read)."""
    M, N = _up(layers.M, t.tile_m.value), _up(layers.N, t.tile_n.value)
    K = _up(layers.K, _column(layers, t, "tile_k"))
    pixels = np.ceil(M / np.maximum(_column(layers, t, "block_m") * side, t.tile_m.value))
    filters = np.ceil(N / np.maximum(_column(layers, t, "block_n") * side, t.tile_n.value))
    blocks = pixels * filters * layers.groups
    share = blocks / _up(blocks, t.multiprocessors.value)
    weights = layers.groups * N * K * pixels * layers.weight_bits / 8
    inputs = layers.groups * M * K / np.maximum(layers.window, 1) * filters * layers.activation_bits / 8
    return M * N * K * layers.groups, share, weights, inputs


def _kernels(layers: Layers, arch: Arch) -> _Kernels:
    t = arch.tensorcore
    assert t is not None
    on_units: Marks = np.isin(layers.kind, _ON_UNITS)
    gemm = on_units & (layers.kind != "depthwise")
    peak = _column(layers, t, "macs_per_cycle")
    singly = np.where(on_units & ~gemm, layers.macs / (peak * t.depthwise_reached_pct.value / 100), 0.0)
    moved, again = (_moving(part, t, arch) for part in _memory(layers, t))
    tried: list[tuple[Floats, ...]] = []
    for side in _SIDES:
        work, share, weights, inputs = _blocked(layers, t, side)
        compute = np.where(gemm, work / (peak * _column(layers, t, "reached_pct") / 100 * share), singly)
        cache = np.where(gemm, (weights + inputs) / (_cache_rate(t, arch) * share), 0.0)
        bound = (compute**_SHARPNESS + cache**_SHARPNESS + moved**_SHARPNESS) ** (1 / _SHARPNESS)
        tried.append((bound, compute, weights, inputs))
    best = np.argmin([bound for bound, *_ in tried], axis=0)[None]
    bound, compute, weights, inputs = (
        np.take_along_axis(np.array(part), best, 0)[0] for part in zip(*tried, strict=True)
    )
    return _Kernels(
        compute=compute,
        waiting=(bound - compute) * _own(layers, t) + _gathered(layers, t, gemm),
        ends=np.where(_fused(layers, t), 0.0, t.kernel_us.value * arch.clock_mhz.value),
        requantize=again,
        weights=np.where(gemm, weights, layers.weight_bytes * 1.0),
        inputs=np.where(gemm, inputs, layers.inputs * layers.activation_bits / 8),
    )


def moved(layers: Layers, arch: Arch) -> Traffic:
    """Bytes that blocks read from the shared cache and write, and what of every kernel crosses to memory."""
    found, t = _kernels(layers, arch), arch.tensorcore
    assert t is not None
    written, again = _memory(layers, t)
    room = t.cache_kib.value * 1024
    outside = (np.where(written <= room, 0.0, written) + np.where(again <= room, 0.0, again)) * _own(layers, t)
    streamed = np.minimum(outside, layers.weight_bytes)
    bytes_out = layers.outputs * layers.activation_bits / 8
    parts = (found.weights, found.inputs, bytes_out, streamed, outside - streamed)
    weights, inputs, outputs, streamed, spilled = (np.ceil(part).astype(np.int64) for part in parts)
    return Traffic(weights=weights, input=inputs, output=outputs, streamed=streamed, spilled=spilled)


def mac_share(layers: Layers, arch: Arch) -> Floats:
    """Energy of a MAC over that at the first precision: units that draw as much at every precision."""
    assert arch.tensorcore is not None
    return arch.tensorcore.rates[0].macs_per_cycle.value / _column(layers, arch.tensorcore, "macs_per_cycle")


def kernel_cycles(layers: Layers, arch: Arch) -> Floats:
    """Cycles of every layer's kernel alone, without its launch and what follows it."""
    found = _kernels(layers, arch)
    return found.compute + found.waiting + found.ends


def cycles(layers: Layers, arch: Arch) -> Cycles:
    """Cycles of every layer; the formulas stand at the top of this module."""
    found, t = _kernels(layers, arch), arch.tensorcore
    assert t is not None
    launch = arch.overhead.layer_us.value * arch.clock_mhz.value if arch.overhead.layer_us else 0.0
    return Cycles(
        compute=found.compute,
        fill=found.ends,
        stall=found.waiting + found.requantize,
        overhead=np.where(_fused(layers, t), 0.0, launch),
    )
