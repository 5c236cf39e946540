"""Energy of every layer in microjoules.

mac    = macs * mac_pj * weight_bits * activation_bits / 64       sram = bytes * access_pj_per_byte
dram   = off-chip bytes * access_pj_per_byte of the link          static = static_mw * latency
"""

from __future__ import annotations

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.traffic import Traffic
from hwsim.engines.base import Floats, Layers

PJ_PER_UJ = 1e6


def _access_pj(arch: Arch, holds: str) -> float:
    found = [m.access_pj_per_byte.value for m in arch.memory if m.holds in (holds, "both") and m.access_pj_per_byte]
    return min(found, default=0.0)


def energy(layers: Layers, moved: Traffic, latency_us: Floats, arch: Arch) -> dict[str, Floats] | None:
    """mac, sram, dram, static of every layer in microjoules; None where the specification has no table [energy]."""
    basis = arch.energy
    if basis is None:
        return None
    mac_pj = 0.0 if basis.mac_pj is None else basis.mac_pj.value
    link = arch.link.access_pj_per_byte if arch.link is not None else None
    activations = (moved.input + moved.output) * _access_pj(arch, "activations")
    bits = (layers.weight_bits * layers.activation_bits).astype(np.float64)
    parts = {
        "mac": layers.macs * mac_pj * bits / 64 / PJ_PER_UJ,
        "sram": (moved.weights * _access_pj(arch, "weights") + activations) / PJ_PER_UJ,
        "dram": moved.dram * (0.0 if link is None else link.value) / PJ_PER_UJ,
        "static": latency_us * basis.static_mw.value / 1e3,
    }
    return {name: np.asarray(column, np.float64) for name, column in parts.items()}
