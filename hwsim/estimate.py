"""estimate(workload, arch) -> Report: the pure function behind the command line.

    latency(layer) = cycles / clock + off-chip bytes / link bandwidth     (host layers: see engines/host.py)
                     or the larger of the two, and what a layer costs whatever its size, where they overlap
    latency        = "(invoke)" + sum over layers

"(invoke)" is what an inference costs once: starting the device, and carrying the model's inputs and outputs over the
link. Layers with equal loops and widths are costed once.
"""

from __future__ import annotations

import math
import sys
from types import ModuleType

import numpy as np

from hwsim.arch.catalog import sources
from hwsim.arch.spec import Arch, Frozen, Quantity
from hwsim.cost.area import area_mm2
from hwsim.cost.energy import energy, factor, link_pj_per_byte, static_mw
from hwsim.cost.roofline import bounds
from hwsim.cost.traffic import traffic, weight_capacity
from hwsim.engines import host
from hwsim.engines.base import Cycles, Floats, Layers, columns, find_engine
from hwsim.errors import PrecisionError
from hwsim.report.data import Bytes, Energy, LayerReport, Precision, Report, Uncertainty
from hwsim.workload import Workload


def estimate(workload: Workload, arch: Arch) -> Report:
    """Cycles, latency, energy and traffic of a workload on a device.

    Raises
    ------
    PrecisionError    the device does not multiply the workload's bit widths
    SpecError         the device names an unknown engine
    """
    _check_precision(workload, arch)
    engine = find_engine(arch.engine)
    layers = columns(workload.layers)
    away = host.on_host(workload.layers, arch)
    done = _unique_cycles(workload, layers, arch)
    moved = traffic(layers, workload.layers, arch, workload.activation_peak_bytes)
    clock = arch.clock_mhz.value
    link_us = moved.dram / arch.link.bandwidth_mb_per_s.value if arch.link is not None else np.zeros(len(layers))
    waited_us = _waited_us(link_us, (done.total - done.overhead) / clock, layers, arch)
    latency = np.where(away, host.latency_us(layers, arch), done.total / clock + waited_us)
    bound = bounds((done.compute + done.fill) / clock, done.stall / clock + waited_us, done.overhead / clock, away)
    peak = engine.peak_macs_per_cycle(arch)
    joules = energy(layers, moved, latency, arch)
    dram = np.where(away, 0, moved.dram)
    rows = [_invoke(workload, arch)]
    for index, layer in enumerate(workload.layers):
        cycles = math.ceil(latency[index] * clock - 1e-6)
        rows.append(
            LayerReport(
                name=layer.name,
                op=layer.op,
                macs=layer.nest.macs,
                cycles=cycles,
                latency_us=float(latency[index]),
                bound=bound[index],  # type: ignore[arg-type]
                utilization=_ratio(layer.nest.macs, cycles * peak),
                energy_uj=None
                if joules is None
                else Energy(
                    **{
                        name: 0.0 if away[index] and name != "static" else float(column[index])
                        for name, column in joules.items()
                    }
                ),
                bytes=Bytes(
                    weights=int(moved.weights[index]),
                    input=int(moved.input[index]),
                    output=int(moved.output[index]),
                    dram=int(dram[index]),
                ),
            )
        )
    return _total(workload, arch, tuple(rows), peak, _warnings(workload, arch, away, moved))


def _waited_us(link_us: Floats, busy_us: Floats, layers: Layers, arch: Arch) -> Floats:
    """Microseconds a layer waits for the link: all it carries, or what lies beyond the work it overlaps with.

    Weights that an engine stages are fetched from the time the link is idle in the layer before.
    """
    if arch.link is None or not arch.link.overlapped:
        return link_us
    staged = getattr(find_engine(arch.engine), "staged", None)
    idle = np.concatenate([[0.0], np.maximum(0.0, busy_us - link_us)[:-1]])
    early = 0.0 if staged is None else np.where(staged(layers, arch), idle, 0.0)
    return np.maximum(0.0, link_us - busy_us - early)


def _unique_cycles(workload: Workload, layers: Layers, arch: Arch) -> Cycles:
    """Engine cycles, computed once for each distinct (nest, widths) and expanded."""
    keys = [(layer.nest, layer.weight_bits, layer.activation_bits) for layer in workload.layers]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    chosen = sorted(first.values())
    place = {keys[index]: position for position, index in enumerate(chosen)}
    expand = np.array([place[key] for key in keys], np.int64)
    few = find_engine(arch.engine).cycles(columns([workload.layers[index] for index in chosen]), arch)
    return Cycles(**{name: getattr(few, name)[expand] for name in ("compute", "fill", "stall", "overhead")})


def _invoke(workload: Workload, arch: Arch) -> LayerReport:
    fixed = arch.overhead.inference_us.value if arch.overhead.inference_us else 0.0
    beside = arch.link is None or arch.link.parameters_only
    carried = 0 if beside else workload.input_bytes + workload.output_bytes
    latency = fixed + (carried / arch.link.bandwidth_mb_per_s.value if arch.link is not None else 0.0)
    joules = None
    if arch.energy is not None:
        dram = carried * link_pj_per_byte(arch) / 1e6
        joules = Energy(mac=0.0, sram=0.0, dram=dram, static=latency * static_mw(arch) / 1e3)
    return LayerReport(
        name="(invoke)",
        op="(invoke)",
        macs=0,
        cycles=math.ceil(latency * arch.clock_mhz.value - 1e-6),
        latency_us=latency,
        bound="overhead",
        utilization=0.0,
        energy_uj=joules,
        bytes=Bytes(weights=0, input=0, output=0, dram=carried),
    )


def _ratio(macs: float, possible: float) -> float:
    return 0.0 if possible <= 0 else min(1.0, macs / possible)


def _total(workload: Workload, arch: Arch, rows: tuple[LayerReport, ...], peak: float, warnings: list[str]) -> Report:
    latency_us = sum(row.latency_us for row in rows)
    cycles = sum(row.cycles for row in rows)
    parts = [row.energy_uj.total for row in rows if row.energy_uj is not None]
    energy_mj = sum(parts) / 1e3 if len(parts) == len(rows) else None
    errors = arch.uncertainty
    return Report(
        model=workload.name,
        arch=arch.name,
        batch=workload.batch,
        precision=Precision(weights=workload.weights, activations=workload.activations),
        macs=sum(row.macs for row in rows),
        params=workload.params,
        weight_bytes=workload.weight_bytes,
        activation_peak_bytes=workload.activation_peak_bytes,
        cycles=cycles,
        latency_ms=latency_us / 1e3,
        throughput_per_s=workload.batch * 1e6 / latency_us if latency_us > 0 else 0.0,
        utilization=_ratio(workload.macs, cycles * peak),
        energy_mj=energy_mj,
        average_power_w=None if energy_mj is None or latency_us <= 0 else energy_mj * 1e3 / latency_us,
        area_mm2=area_mm2(arch),
        uncertainty=Uncertainty(
            latency_pct=errors.latency_pct.value if errors and errors.latency_pct else None,
            energy_pct=errors.energy_pct.value if errors and errors.energy_pct else None,
            energy_factor=factor(arch),
            basis=errors.basis if errors else "none: no published measurement was compared with this specification",
        ),
        layers=rows,
        warnings=tuple(warnings),
        sources=_sources(arch),
    )


def _check_precision(workload: Workload, arch: Arch) -> None:
    names = {f"w{la.weight_bits}a{la.activation_bits}" for la in workload.layers if la.nest.macs}
    missing = sorted(names - set(arch.precisions))
    if missing and arch.precisions:
        raise PrecisionError(
            f"{arch.name} has no data path for {', '.join(missing)}: its multipliers take {', '.join(arch.precisions)} "
            "only; choose --weights and --activations from these"
        )


def _warnings(workload: Workload, arch: Arch, away: np.ndarray, moved: object) -> list[str]:
    found: list[str] = []
    if away.any():
        left = [layer for layer, is_away in zip(workload.layers, away, strict=True) if is_away]
        causes = sorted({layer.op for layer in left if arch.host is not None and layer.op in arch.host.ops})
        found.append(
            f"{len(left)} of {len(workload.layers)} layers run on the host, from {left[0].name!r} on "
            f"(not supported on {arch.name}: {', '.join(causes)})"
        )
    over = workload.weight_bytes - weight_capacity(arch, workload.activation_peak_bytes)
    if over > 0:
        if arch.link is not None:
            how = "streamed at every inference"
            found.append(f"{over / 1e6:.2f} MB of {workload.weight_bytes / 1e6:.2f} MB parameters {how}")
        else:
            found.append(
                f"does not fit: parameters need {workload.weight_bytes / 1024:.0f} KiB, {arch.name} has "
                f"{(workload.weight_bytes - over) / 1024:.0f} KiB and no link to stream them; figures are hypothetical"
            )
    room = arch.capacity_bytes("activations")
    if workload.activation_peak_bytes > room:
        need = (
            f"activations need {workload.activation_peak_bytes / 1024:.0f} KiB, {arch.name} has {room / 1024:.0f} KiB"
        )
        found.append(need if arch.link is not None else f"does not fit: {need}; figures are hypothetical")
    return found


def _sources(arch: Arch) -> tuple[str, ...]:
    """Distinct sources of the device's numbers, ids replaced by their citations."""
    known, found = sources(), dict[str, None]()

    def walk(value: object) -> None:
        if isinstance(value, Quantity):
            entry = known.get(value.source)
            found[f"{value.source}: {entry}" if entry else value.source] = None
        elif isinstance(value, Frozen):
            for name in value.__struct_fields__:
                walk(getattr(value, name))
        elif isinstance(value, tuple):
            for item in value:
                walk(item)

    walk(arch)
    return (*_stated(arch), *found)


def _stated(arch: Arch) -> tuple[str, ...]:
    """What the cycles of the array rest on: dataflow, mapping, overlap, and which edges are counted."""
    array = arch.array
    if array is None or arch.engine != "systolic":
        return ()
    tiles = "tiles overlap" if array.overlap else "tile after tile"
    convention = "rtl-overlapped" if array.overlap else "rtl"
    return (
        f"array: {array.rows.value:g} x {array.cols.value:g} {array.dataflow}, {array.mapping} mapping, {tiles}, "
        f"cycles counted as {convention}",
    )


class _Callable(ModuleType):
    """`hwsim.estimate` is this module once anything imported it; calling it must still estimate."""

    def __call__(self, workload: Workload, arch: Arch) -> Report:
        return estimate(workload, arch)


sys.modules[__name__].__class__ = _Callable
