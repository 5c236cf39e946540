"""Predicted against published, and the statistics of it.

latency_ms, energy_uj: of the report      kernel_us: of the kernel alone, without its launch and what follows it
macs_per_cycle: of one layer, nothing carried over the link
int4_int8_speedup: time at 8 bits over time at 4 bits, of kernels, of whole layers in a network, or of networks

error = predicted / published - 1        rank correlation: Spearman's, ties averaged, over the rows of a group
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.cost.network import costs
from hwsim.engines.base import find_engine, table
from hwsim.errors import HwsimError
from hwsim.estimate import check_precision, estimate
from hwsim.validate import rates
from hwsim.validate.accelerator_values import accelerator_value, needs_model
from hwsim.validate.measurements import Measurement
from hwsim.validate.workloads import Workloads
from hwsim.workload import Workload

WORST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row: the published number and ours; None where it is not compared, with the reason."""

    file: str
    line: int
    device: str
    model: str
    quantity: str
    published: float
    predicted: float | None
    error: float | None
    excluded: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A group of rows: one file, one device, one quantity."""

    file: str
    device: str
    quantity: str
    rows: int
    models: int
    mean_abs_error: float
    median_abs_error: float
    rank_correlation: float | None
    worst: tuple[str, ...]
    """model and error of the worst models"""


def predict(workload: Workload, arch: Arch, quantity: str) -> float | None:
    """The value of a quantity in the unit of the published column; None without a basis."""
    check_precision(workload, arch)
    if quantity == "kernel_us":
        kernel_cycles = getattr(find_engine(arch.engine), "kernel_cycles", None)
        if kernel_cycles is not None:
            return float(np.sum(kernel_cycles(table(workload.layers).every, arch))) / arch.clock_mhz.value
    if quantity in ("kernel_us", "latency_ms", rates.QUANTITY):
        found = costs(workload, arch)
        if quantity == "kernel_us":
            return float(np.sum(found.latency_us - found.cycles.overhead / arch.clock_mhz.value))
        if quantity == rates.QUANTITY:
            return workload.macs / float(np.sum(found.cycles.total))
        return float(found.start_us + np.sum(found.latency_us)) / 1e3
    energy_mj = estimate(workload, arch).energy_mj
    return None if energy_mj is None else energy_mj * 1e3


def predicted(m: Measurement, arch: Arch, workloads: Workloads) -> float | None:
    """What the device makes of a measurement; None without a model of that name or a basis.

    Raises
    ------
    HwsimError    the device does not take the workload
    """
    quantity = m.quantity
    if m.detail is not None:
        return accelerator_value(m, arch, workloads)
    if m.over:
        quantity = "kernel_us" if quantity.startswith("kernel_") else "latency_ms"
    values: list[float] = []
    for bits in ((m.weights, m.activations), (m.over, m.over))[: 2 if m.over else 1]:
        workload = workloads.find(m.model, m.batch, *bits, m.size)
        value = None if workload is None else predict(workload, arch, quantity)
        if value is None:
            return None
        values.append(value)
    return values[0] if len(values) == 1 else values[1] / values[0]


def attempt(m: Measurement, arch: Arch, workloads: Workloads) -> tuple[float | None, str]:
    """(value, ""), or (None, why there is none)."""
    if needs_model(m) and workloads.find(m.model, m.batch, m.weights, m.activations, m.size) is None:
        return None, f"no model is known by the name {m.model!r}; give --model NAME=FILE"
    try:
        value = predicted(m, arch, workloads)
    except HwsimError as error:
        return None, str(error)
    return value, "" if value is not None else f"{arch.name} has no basis for {m.quantity}"


def compare(measured: Iterable[Measurement], devices: dict[str, Arch], workloads: Workloads) -> list[Comparison]:
    """Every measurement with its prediction; one estimate for each device, model and quantity."""
    known: dict[tuple[object, ...], tuple[float | None, str]] = {}
    rows: list[Comparison] = []
    for m in measured:
        why, value = m.excluded, None
        if not why:
            key = (m.device, m.model, m.quantity, m.batch, m.weights, m.activations, m.size, m.detail)
            if key not in known:
                known[key] = attempt(m, devices[m.device], workloads)
            value, why = known[key]
        rows.append(
            Comparison(
                file=m.file,
                line=m.line,
                device=m.device,
                model=(m.detail.title if m.detail is not None else "") or m.model,
                quantity=m.quantity,
                published=m.value,
                predicted=value,
                error=None if value is None else value / m.value - 1,
                excluded=why,
            )
        )
    return rows


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.array([np.mean(np.flatnonzero(np.sort(values) == value)) for value in values])


def rank_correlation(a: Iterable[float], b: Iterable[float]) -> float | None:
    """Spearman's coefficient; None for fewer than three values or constant ones."""
    x, y = _ranks(np.array(list(a))), _ranks(np.array(list(b)))
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def statistics(rows: Iterable[Comparison]) -> list[Statistics]:
    """One entry for each file, device and quantity with at least one compared row."""
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for row in rows:
        if row.error is not None:
            groups.setdefault((row.file, row.device, row.quantity), []).append(row)
    found: list[Statistics] = []
    for (file, device, quantity), members in groups.items():
        errors = np.abs([row.error for row in members if row.error is not None])
        worst: dict[str, float] = {}
        for row in sorted(members, key=lambda row: -abs(row.error or 0.0)):
            worst.setdefault(row.model, row.error or 0.0)
        found.append(
            Statistics(
                file=file,
                device=device,
                quantity=quantity,
                rows=len(members),
                models=len({row.model for row in members}),
                mean_abs_error=float(errors.mean()),
                median_abs_error=float(np.median(errors)),
                rank_correlation=rank_correlation(
                    (row.published for row in members), (row.predicted or 0.0 for row in members)
                ),
                worst=tuple(f"{name} {100 * error:+.0f}%" for name, error in list(worst.items())[:WORST]),
            )
        )
    return found


def as_json(groups: list[Statistics], rows: list[Comparison], skipped: Mapping[str, str], unused: Iterable[str]) -> str:
    """Statistics, rows, devices that could not be fitted with the reason, files that no row asked for, as JSON text."""
    found = {"groups": [asdict(g) for g in groups], "rows": [asdict(r) for r in rows]}
    return json.dumps({**found, "skipped": dict(skipped), "unused_models": list(unused)}, indent=2)


def as_lines(groups: list[Statistics], rows: list[Comparison]) -> list[tuple[str, ...]]:
    """The table of statistics, header first, and what was left out."""
    head = ("file", "device", "quantity", "rows", "models", "mean", "median", "rank", "worst")
    lines: list[tuple[str, ...]] = [head]
    for g in groups:
        rank = "-" if g.rank_correlation is None else f"{g.rank_correlation:.2f}"
        mean, median = f"{100 * g.mean_abs_error:.1f}%", f"{100 * g.median_abs_error:.1f}%"
        counts = (str(g.rows), str(g.models))
        lines.append((g.file, g.device, g.quantity, *counts, mean, median, rank, ", ".join(g.worst)))
    return lines


def plot(rows: list[Comparison], path: str) -> None:
    """Scatter of predicted over published on logarithmic axes, one colour a device; needs matplotlib (extra `plot`)."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HwsimError("a plot needs matplotlib; install the extra with: pip install 'refq[plot]'") from error

    quantities = sorted({row.quantity for row in rows if row.error is not None})
    if not quantities:
        raise HwsimError("no row was compared; there is nothing to plot")
    figure: Any = Figure(figsize=(6 * len(quantities), 5.5), layout="constrained")
    for place, quantity in enumerate(quantities):
        axes = figure.add_subplot(1, len(quantities), place + 1)
        chosen = [row for row in rows if row.quantity == quantity and row.predicted is not None]
        for device in sorted({row.device for row in chosen}):
            points = [(row.published, row.predicted) for row in chosen if row.device == device]
            axes.scatter(*zip(*points, strict=True), s=18, label=device)
        ends = [f(row.published for row in chosen) for f in (min, max)]
        axes.plot(ends, ends, color="0.6", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel=f"published {quantity}", ylabel=f"predicted {quantity}")
        axes.legend(fontsize=7)
    figure.savefig(path)
