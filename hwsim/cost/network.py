"""What every layer of a workload costs on a device, or on many design points of it.

latency(layer) = cycles / clock + off-chip bytes / link bandwidth       (host layers: see engines/host.py)
                 or the larger of the two, and what a layer costs whatever its size, where they overlap

Numbers have the layers along their last axis, design points before it where the device holds any (hwsim/arch/vary.py).
Layers with equal loops and widths are costed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spec import Arch
from hwsim.cost.energy import energy, link_pj_per_byte, static_mw
from hwsim.cost.traffic import Traffic, traffic
from hwsim.engines import host
from hwsim.engines.base import Cycles, Layers, find_engine, table
from hwsim.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of every layer: cycles, microseconds, bytes, whether it runs on the host, microjoules; then of the start."""

    layers: Layers
    cycles: Cycles
    waited_us: Any
    latency_us: Any
    moved: Traffic
    dram: Any
    away: NDArray[np.bool_]
    energy_uj: dict[str, Any] | None
    start_us: Any
    start_bytes: int
    start_uj: dict[str, Any] | None
    """What an inference costs once: starting the device, carrying the model's inputs and outputs over the link"""


def _waited_us(link_us: Any, busy_us: Any, arch: Arch) -> Any:
    """Microseconds a layer waits for the link: all it carries, or what lies beyond the work it overlaps with.

    Engines that follow the sequence of layers count it among their own cycles.
    """
    if hasattr(find_engine(arch.engine), "sequence"):
        return np.zeros_like(busy_us)
    if arch.link is None or not arch.link.overlapped:
        return link_us
    return np.maximum(0.0, link_us - busy_us)


def costs(workload: Workload, arch: Arch) -> Costs:
    """Costs of a workload on a device; the formula stands at the top of this module."""
    known = table(workload.layers)
    layers, clock = known.every, arch.clock_mhz.value
    engine = find_engine(arch.engine)
    done: Cycles
    if hasattr(engine, "sequence"):
        done, moved = engine.sequence(layers, arch)
    else:
        few: Cycles = engine.cycles(known.distinct, arch)
        parts = ("compute", "fill", "stall", "overhead")
        done = Cycles(**{name: np.asarray(getattr(few, name))[..., known.place] for name in parts})
        own = getattr(engine, "moved", None)
        moved = traffic(layers, arch, workload.activation_peak_bytes) if own is None else own(layers, arch)
    away = host.on_host(layers, arch)
    dram = np.where(away, 0, moved.dram)
    link_us: Any = np.zeros(len(layers)) if arch.link is None else moved.dram / arch.link.bandwidth_mb_per_s.value
    waited_us = _waited_us(link_us, (done.total - done.overhead) / clock, arch)
    latency = done.total / clock + waited_us
    if away.any():
        latency = np.where(away, host.latency_us(layers, arch), latency)
    joules = energy(layers, moved, latency, arch)
    if joules is not None:
        joules = {name: column if name == "static" else np.where(away, 0.0, column) for name, column in joules.items()}
    start_us: Any = arch.overhead.inference_us.value if arch.overhead.inference_us else 0.0
    carried = 0
    if arch.link is not None and not arch.link.parameters_only:
        carried = workload.input_bytes + workload.output_bytes
        start_us = start_us + carried / arch.link.bandwidth_mb_per_s.value
    once = None
    if joules is not None:
        once = {"dram": carried * link_pj_per_byte(arch) / 1e6, "static": start_us * static_mw(arch) / 1e3}
    return Costs(
        layers=layers,
        cycles=done,
        waited_us=waited_us,
        latency_us=latency,
        moved=moved,
        dram=dram,
        away=away,
        energy_uj=joules,
        start_us=start_us,
        start_bytes=carried,
        start_uj=once,
    )
