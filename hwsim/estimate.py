"""estimate(workload, arch) -> Report: the pure function behind the command line.

    latency = "(invoke)" + sum over layers        (each layer: hwsim/cost/network.py)

"(invoke)" is what an inference costs once: starting the device, and carrying the model's inputs and outputs over the
link.
"""

from __future__ import annotations

import math
import sys
from types import ModuleType

import numpy as np

from hwsim.arch.catalog import sources
from hwsim.arch.precision import TAKES, widths
from hwsim.arch.spec import Arch
from hwsim.arch.vary import numbers, unit
from hwsim.cost.area import area_mm2
from hwsim.cost.energy import factor
from hwsim.cost.network import Costs, costs
from hwsim.cost.roofline import bounds
from hwsim.cost.traffic import weight_capacity
from hwsim.engines.base import find_engine
from hwsim.errors import PrecisionError
from hwsim.report.data import Bytes, Energy, LayerReport, Precision, Report, Uncertainty
from hwsim.workload import Layer, Workload


def estimate(workload: Workload, arch: Arch) -> Report:
    """Cycles, latency, energy and traffic of a workload on a device.

    Raises
    ------
    PrecisionError    the device does not multiply the workload's bit widths
    SpecError         the device names an unknown engine
    """
    check_precision(workload, arch)
    found = costs(workload, arch)
    clock, away, moved, done = arch.clock_mhz.value, found.away, found.moved, found.cycles
    waiting = done.stall / clock + found.waited_us
    bound = bounds((done.compute + done.fill) / clock, waiting, done.overhead / clock, away)
    engine = find_engine(arch.engine)
    peak = engine.peak_macs_per_cycle(arch)
    peaks = engine.peaks(found.layers, arch) if hasattr(engine, "peaks") else np.full(len(found.layers), peak)
    cycles = np.ceil(found.latency_us * clock - 1e-6).astype(np.int64)
    parts = None if found.energy_uj is None else [column.tolist() for column in found.energy_uj.values()]
    joules = None if parts is None else list(zip(*parts, strict=True))
    names = () if found.energy_uj is None else tuple(found.energy_uj)
    columns = (
        bound,
        found.layers.macs.tolist(),
        cycles.tolist(),
        found.latency_us.tolist(),
        peaks.tolist(),
        *(column.tolist() for column in (moved.weights, moved.input, moved.output, found.dram)),
    )
    rows = [_invoke(found, arch)]
    for index, (limit, macs, count, us, most, weights, inputs, outputs, dram) in enumerate(zip(*columns, strict=True)):
        layer = workload.layers[index]
        rows.append(
            LayerReport(
                name=layer.name,
                op=layer.op,
                macs=macs,
                cycles=count,
                latency_us=us,
                bound=limit,
                utilization=_ratio(macs, count * most),
                energy_uj=None if joules is None else Energy(**dict(zip(names, joules[index], strict=True))),
                bytes=Bytes(weights=weights, input=inputs, output=outputs, dram=dram),
                precision=_precision(layer),
                multiplier=layer.nest.multiplier if macs else "",
            )
        )
    return _total(workload, arch, tuple(rows), peak, _warnings(workload, arch, away))


def _precision(layer: Layer) -> Precision | None:
    if not layer.nest.macs:
        return None
    return Precision(weights=layer.stored_bits, activations=layer.activation_bits)


def _invoke(found: Costs, arch: Arch) -> LayerReport:
    latency, once = float(found.start_us), found.start_uj
    return LayerReport(
        name="(invoke)",
        op="(invoke)",
        macs=0,
        cycles=math.ceil(latency * arch.clock_mhz.value - 1e-6),
        latency_us=latency,
        bound="overhead",
        utilization=0.0,
        energy_uj=None if once is None else Energy(mac=0.0, sram=0.0, **{k: float(v) for k, v in once.items()}),
        bytes=Bytes(weights=0, input=0, output=0, dram=found.start_bytes),
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


def check_precision(workload: Workload, arch: Arch) -> None:
    """Refuse widths the device does not multiply.

    Raises
    ------
    PrecisionError    names the widths that are missing and those there are
    """
    if arch.array is not None and arch.array.multiplier != "integer":
        _check_codes(workload, arch, arch.array.multiplier)
        return
    names = {f"w{la.weight_bits}a{la.activation_bits}" for la in workload.layers if la.nest.macs}
    missing = sorted(names - set(arch.precisions))
    if missing and arch.precisions:
        raise PrecisionError(
            f"{arch.name} has no data path for {', '.join(missing)}: its multipliers take {', '.join(arch.precisions)} "
            "only; choose --weights and --activations from these"
        )


def _check_codes(workload: Workload, arch: Arch, multiplier: str) -> None:
    """Refuse weights that an element without an integer multiplier cannot multiply by."""
    weight, activation = widths(arch.precisions[0])
    for layer in workload.layers:
        if not layer.nest.macs:
            continue
        taken = layer.nest.multiplier in ("multiply", *TAKES[multiplier])
        if not (taken and layer.stored_bits <= weight and layer.activation_bits <= activation):
            raise PrecisionError(
                f"{arch.name} multiplies by {' or '.join(TAKES[multiplier])} codes of {weight} bits and activations of "
                f"{activation}: {layer.op} {layer.name!r} has {layer.nest.multiplier} weights of "
                f"{layer.stored_bits:g} bits and activations of {layer.activation_bits}; choose a recipe of that kind "
                "(refq quantizers lists them)"
            )


def _warnings(workload: Workload, arch: Arch, away: np.ndarray) -> list[str]:
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
    found += _assumed_codes(workload, arch) + _too_small(workload, arch)
    room = arch.capacity_bytes("activations")
    if workload.activation_peak_bytes > room:
        need = (
            f"activations need {workload.activation_peak_bytes / 1024:.0f} KiB, {arch.name} has {room / 1024:.0f} KiB"
        )
        found.append(need if arch.link is not None else f"does not fit: {need}; figures are hypothetical")
    return found


def _assumed_codes(workload: Workload, arch: Arch) -> list[str]:
    """Plain integers on an array that multiplies by other codes."""
    kind = "integer" if arch.array is None else arch.array.multiplier
    plain = sum(layer.nest.multiplier == "multiply" and layer.nest.macs > 0 for layer in workload.layers)
    if kind == "integer" or "multiply" in TAKES[kind] or not plain:
        return []
    return [f"weights of {plain} layers are taken to be {' or '.join(TAKES[kind])} codes, as {arch.name} needs them"]


def _too_small(workload: Workload, arch: Arch) -> list[str]:
    """Memories that do not hold what the array works on at a time: its stationary tile, or a word a row or column."""
    array, found = arch.array, []
    if array is None:
        return found
    rows, cols = array.rows.value, array.cols.value
    whole, bits = rows * cols, {"weights": workload.weights, "activations": workload.activations}
    words = {"os": (cols, rows), "ws": (whole, rows), "is": (rows, whole)}[array.dataflow]
    for memory in arch.memory:
        for holds, count in zip(("weights", "activations"), words, strict=True):
            tile = math.ceil(count * bits[holds] / 8)
            if memory.holds in (holds, "both") and memory.size_kib.value * 1024 < tile:
                found.append(
                    f"memory {memory.name!r} of {memory.size_kib.value:g} KiB is smaller than one tile of {holds} "
                    f"({tile} bytes for {rows:g} x {cols:g}); cycles assume that operands stream past it"
                )
    return found


def _sources(arch: Arch) -> tuple[str, ...]:
    """Every number of the device with its unit and source, ids followed by their citations."""
    known = sources()
    found: list[str] = []
    for path, number in numbers(arch).items():
        entry = known.get(number.source)
        text = f"{path} = {number.value:g} {unit(path)}".rstrip()
        found.append(f"{text} <- {number.source}" + (f": {entry}" if entry else ""))
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
