"""Energy of every layer in microjoules.

mac    = macs * energy of one MAC at the widths of the layer     sram = bytes * access energy of the memory
dram   = off-chip bytes * access energy of the link              static = (static power + leakage) * latency

A specification that states `energy.mac_pj` (8x8 bits) has it scaled with the product of the widths, or by its engine's
`mac_share`; otherwise, and for memories and links without an access energy, the table [technology] decides:
hwsim/cost/operators.py and sram.py, specs/technology/energy.toml. `factor(arch)` says how far off an energy may be.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from hwsim.arch.precision import widths
from hwsim.arch.spec import Arch, Memory
from hwsim.arch.technology import off_chip
from hwsim.arch.vary import each
from hwsim.cost.operators import energy_uncertainty, mac_pj
from hwsim.cost.sram import Macro, sram
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Floats, Layers, by_width, find_engine

PJ_PER_UJ = 1e6
_UNSTATED = 2.0
"""Uncertainty factor where a specification states its energies and no factor"""


@lru_cache(maxsize=1 << 12)
def _macro(capacity_bytes: float, width_bits: int, node_nm: float, cell: str) -> Macro:
    return sram(capacity_bytes, width_bits, node_nm, cell)


def _of_macro(memory: Memory, arch: Arch, read: Callable[[Macro], float], nothing: float) -> Any:
    """A figure of the memory's macro; `nothing` where the memory is empty, None where no macro is known."""
    node = arch.technology
    if node is None or memory.width_bits is None:
        return None

    def one(kib: float, width: float, node_nm: float) -> float:
        return read(_macro(kib * 1024, int(width), node_nm, node.sram_cell)) if kib > 0 else nothing

    return each(one, memory.size_kib.value, memory.width_bits.value, node.node_nm.value)


def _access_pj(arch: Arch, holds: str) -> Any:
    least: Any = np.inf
    for memory in arch.memory:
        if memory.holds not in (holds, "both"):
            continue
        stated = memory.access_pj_per_byte
        found = _of_macro(memory, arch, lambda m: m.read_pj_per_byte, np.inf) if stated is None else stated.value
        least = least if found is None else np.minimum(least, found)
    return np.where(np.isfinite(least), least, 0.0)


def link_pj_per_byte(arch: Arch) -> Any:
    """Energy of a byte across the chip boundary, in picojoules."""
    if arch.tensorcore is not None and arch.tensorcore.memory_pj_per_byte is not None:
        return arch.tensorcore.memory_pj_per_byte.value
    if arch.link is not None and arch.link.access_pj_per_byte is not None:
        return arch.link.access_pj_per_byte.value
    if arch.link is not None and arch.technology is not None and arch.technology.off_chip is not None:
        return off_chip(arch.technology.off_chip)[0]
    return 0.0


def static_mw(arch: Arch) -> Any:
    """Power drawn as long as an inference lasts: stated, of every element, and the leakage of memories known by size
    only."""
    basis = 0.0 if arch.energy is None else arch.energy.static_mw.value
    if arch.energy is not None and arch.energy.element_mw is not None:
        basis = basis + arch.energy.element_mw.value * find_engine(arch.engine).peak_macs_per_cycle(arch)
    derived = (memory for memory in arch.memory if memory.access_pj_per_byte is None)
    leakages = (_of_macro(memory, arch, lambda m: m.leakage_mw, 0.0) for memory in derived)
    return basis + sum(leakage for leakage in leakages if leakage is not None)


def factor(arch: Arch) -> float | None:
    """The truth is taken to lie between energy / factor and energy * factor; None without a basis for energy."""
    if arch.energy is None:
        return None
    if arch.energy.factor is not None:
        return arch.energy.factor.value
    node = arch.technology
    if node is None:
        return _UNSTATED
    known = [_of_macro(memory, arch, lambda m: m.factor, 1.0) for memory in arch.memory]
    parts = [energy_uncertainty(), *(part for part in known if part is not None)]
    return max([*parts, off_chip(node.off_chip)[1]] if node.off_chip else parts)


def _mac_pj(layers: Layers, arch: Arch) -> Any:
    assert arch.energy is not None
    stated, node = arch.energy.mac_pj, arch.technology
    share = getattr(find_engine(arch.engine), "mac_share", None)
    if stated is not None and share is not None:
        return stated.value * share(layers, arch)
    if stated is not None:
        return stated.value * (layers.weight_bits * layers.activation_bits) / 64
    if node is None:
        return np.zeros(len(layers))
    volts = None if node.voltage_v is None else node.voltage_v.value
    acc = 32 if node.accumulator_bits is None else node.accumulator_bits.value
    kind = "integer" if arch.array is None else arch.array.multiplier
    pairs = set(zip(layers.weight_bits.tolist(), layers.activation_bits.tolist(), strict=True))

    def one(weight: int, activation: int) -> Any:
        return each(
            lambda bits, node_nm, voltage_v: mac_pj(weight, activation, int(bits), kind, node_nm, voltage_v),
            acc,
            node.node_nm.value,
            volts,
        )

    if kind != "integer":
        return one(*widths(arch.precisions[0])) * np.ones(len(layers))
    return by_width(layers, {f"w{w}a{a}": one(w, a) for w, a in sorted(pairs)}, 0.0)


def _computed(layers: Layers, arch: Arch) -> Floats | float:
    """Share of the products that are computed: an array may skip those of zero inputs."""
    zeros = getattr(find_engine(arch.engine), "zeros", None)
    return 1.0 if zeros is None else 1.0 - zeros(layers, arch)


def energy(layers: Layers, moved: Traffic, latency_us: Floats, arch: Arch) -> dict[str, Floats] | None:
    """mac, sram, dram, static of every layer in microjoules; None where the specification has no table [energy]."""
    if arch.energy is None:
        return None
    activations = (moved.input + moved.output) * _access_pj(arch, "activations")
    parts = {
        "mac": layers.macs * _computed(layers, arch) * _mac_pj(layers, arch) / PJ_PER_UJ,
        "sram": (moved.weights * _access_pj(arch, "weights") + activations) / PJ_PER_UJ,
        "dram": moved.dram * link_pj_per_byte(arch) / PJ_PER_UJ,
        "static": latency_us * static_mw(arch) / 1e3,
    }
    return {name: np.asarray(column, np.float64) for name, column in parts.items()}
