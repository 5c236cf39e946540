"""What an estimate says: frozen values, one field a line of the JSON output.

    latency_ms = sum(layer.latency_us) / 1000        cycles, macs, energies and bytes add up in the same way

The layers are listed in execution order; what an inference costs once (starting the device) is the pseudo-layer
"(invoke)", so that every total is the sum of its rows. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Bound = Literal["compute", "memory", "overhead", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one layer in microjoules, by where it is spent."""

    mac: float
    sram: float
    dram: float
    static: float

    @property
    def total(self) -> float:
        return self.mac + self.sram + self.dram + self.static


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Bytes a layer moves: operands read and written on chip, and what crosses the chip boundary (`dram`)."""

    weights: int
    input: int
    output: int
    dram: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Bits of weights, as they are stored, and of activations."""

    weights: float
    activations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """One row: a layer of the deployed graph, or what an inference costs once."""

    name: str
    op: str
    macs: int
    cycles: int
    latency_us: float
    bound: Bound
    utilization: float
    """macs / (cycles * peak macs per cycle), 0 to 1"""
    energy_uj: Energy | None
    """None where the specification gives no basis for energy"""
    bytes: Bytes
    precision: Precision | None = None
    """None where nothing is multiplied"""
    multiplier: str = ""
    """How weights are multiplied by: "multiply", "shift", "sign", "lookup" ..., see `refq.graph.Codebook`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """How far predictions were from published silicon, in percent; None where nothing was measured."""

    latency_pct: float | None
    energy_pct: float | None
    basis: str
    energy_factor: float | None = None
    """the truth is taken to lie between energy / factor and energy * factor"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole estimate of one model on one device."""

    model: str
    arch: str
    batch: int
    precision: Precision
    macs: int
    params: int
    weight_bytes: int
    activation_peak_bytes: int
    cycles: int
    latency_ms: float
    throughput_per_s: float
    """images a second: batch / latency"""
    utilization: float
    energy_mj: float | None
    average_power_w: float | None
    area_mm2: float | None
    uncertainty: Uncertainty
    layers: tuple[LayerReport, ...]
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = field(default=())
