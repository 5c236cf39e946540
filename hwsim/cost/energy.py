"""Energy of every layer in microjoules.

mac    = macs * energy of one MAC at the widths of the layer     sram = bytes * access energy of the memory
dram   = off-chip bytes * access energy of the link              static = (static power + leakage) * latency

A specification that states `energy.mac_pj` (8x8 bits) has it scaled with the product of the widths; otherwise, and for
memories and links without an access energy, the table [technology] decides: hwsim/cost/operators.py and sram.py,
specs/technology/energy.toml. `factor(arch)` says how far off an energy may be.
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch, Memory
from hwsim.arch.technology import off_chip
from hwsim.cost.operators import energy_uncertainty, mac_pj
from hwsim.cost.sram import Macro, sram
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Floats, Layers

PJ_PER_UJ = 1e6
_UNSTATED = 2.0
"""Uncertainty factor where a specification states its energies and no factor"""


def _macro(memory: Memory, arch: Arch) -> Macro | None:
    node = arch.technology
    if node is None or memory.width_bits is None or memory.size_kib.value <= 0:
        return None
    return sram(memory.size_kib.value * 1024, int(memory.width_bits.value), node.node_nm.value, node.sram_cell)


def _access_pj(arch: Arch, holds: str) -> float:
    found: list[float] = []
    for memory in arch.memory:
        if memory.holds not in (holds, "both"):
            continue
        macro = _macro(memory, arch)
        if memory.access_pj_per_byte is not None:
            found.append(memory.access_pj_per_byte.value)
        elif macro is not None:
            found.append(macro.read_pj_per_byte)
    return min(found, default=0.0)


def link_pj_per_byte(arch: Arch) -> float:
    """Energy of a byte across the chip boundary, in picojoules."""
    if arch.link is not None and arch.link.access_pj_per_byte is not None:
        return arch.link.access_pj_per_byte.value
    if arch.link is not None and arch.technology is not None and arch.technology.off_chip is not None:
        return off_chip(arch.technology.off_chip)[0]
    return 0.0


def static_mw(arch: Arch) -> float:
    """Power drawn as long as an inference lasts: stated, and the leakage of memories known by size only."""
    basis = 0.0 if arch.energy is None else arch.energy.static_mw.value
    macros = (_macro(memory, arch) for memory in arch.memory if memory.access_pj_per_byte is None)
    return basis + sum(macro.leakage_mw for macro in macros if macro is not None)


def factor(arch: Arch) -> float | None:
    """The truth is taken to lie between energy / factor and energy * factor; None without a basis for energy."""
    if arch.energy is None:
        return None
    if arch.energy.factor is not None:
        return arch.energy.factor.value
    node = arch.technology
    if node is None:
        return _UNSTATED
    parts = [energy_uncertainty()]
    parts += [macro.factor for macro in (_macro(memory, arch) for memory in arch.memory) if macro is not None]
    return max([*parts, off_chip(node.off_chip)[1]] if node.off_chip else parts)


def _mac_pj(layers: Layers, arch: Arch) -> Floats:
    assert arch.energy is not None
    stated, node = arch.energy.mac_pj, arch.technology
    if stated is not None:
        return stated.value * (layers.weight_bits * layers.activation_bits) / 64
    if node is None:
        return np.zeros(len(layers))
    volts = None if node.voltage_v is None else node.voltage_v.value
    acc = 32 if node.accumulator_bits is None else int(node.accumulator_bits.value)
    pairs = list(zip(layers.weight_bits.tolist(), layers.activation_bits.tolist(), strict=True))
    each = {p: mac_pj(*p, acc, node_nm=node.node_nm.value, voltage_v=volts) for p in set(pairs)}
    return np.array([each[p] for p in pairs], np.float64)


def energy(layers: Layers, moved: Traffic, latency_us: Floats, arch: Arch) -> dict[str, Floats] | None:
    """mac, sram, dram, static of every layer in microjoules; None where the specification has no table [energy]."""
    if arch.energy is None:
        return None
    activations = (moved.input + moved.output) * _access_pj(arch, "activations")
    parts = {
        "mac": layers.macs * _mac_pj(layers, arch) / PJ_PER_UJ,
        "sram": (moved.weights * _access_pj(arch, "weights") + activations) / PJ_PER_UJ,
        "dram": moved.dram * link_pj_per_byte(arch) / PJ_PER_UJ,
        "static": latency_us * static_mw(arch) / 1e3,
    }
    return {name: np.asarray(column, np.float64) for name, column in parts.items()}
