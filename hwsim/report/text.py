"""A report as JSON, CSV or a table of plain text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from hwsim.report.data import LayerReport, Report

_CSV_COLUMNS = (
    *("name", "op", "macs", "cycles", "latency_us", "bound", "utilization"),
    *("weight_bits", "activation_bits", "multiplier"),
    *("energy_mac_uj", "energy_sram_uj", "energy_dram_uj", "energy_static_uj"),
    *("weights_bytes", "input_bytes", "output_bytes", "dram_bytes"),
)


def as_json(report: Report) -> str:
    """The report as JSON text; its fields are those of the dataclasses."""
    return json.dumps(asdict(report), indent=2, allow_nan=False)


def as_csv(report: Report) -> str:
    """One line a layer; a layer without an energy basis leaves its energy cells empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for row in report.layers:
        energy = row.energy_uj
        parts = ["", "", "", ""] if energy is None else [energy.mac, energy.sram, energy.dram, energy.static]
        moved = row.bytes
        head = (row.name, row.op, row.macs, row.cycles, row.latency_us, row.bound, row.utilization)
        bits = ["", ""] if row.precision is None else [row.precision.weights, row.precision.activations]
        writer.writerow([*head, *bits, row.multiplier, *parts, moved.weights, moved.input, moved.output, moved.dram])
    return text.getvalue()


def digits(value: float | None, unit: str = "") -> str:
    """Four significant digits with thousands separators; a dash for None."""
    if value is None:
        return "-"
    magnitude = abs(value)
    places = 0 if magnitude >= 1000 else 1 if magnitude >= 100 else 2 if magnitude >= 10 else 3
    text = f"{value:.3g}" if 0 < magnitude < 0.01 else f"{value:,.{places}f}"
    return f"{text} {unit}".rstrip()


def size(count: int) -> str:
    """Bytes in KiB or MiB."""
    if count < 1024:
        return f"{count} B"
    return digits(count / 1024, "KiB") if count < 1 << 20 else digits(count / (1 << 20), "MiB")


def summary(report: Report) -> list[tuple[str, str]]:
    """The totals as (label, value) lines."""
    error = report.uncertainty
    spread = "" if error.latency_pct is None else f"  (+-{error.latency_pct:.0f} %)"
    energy_spread = "" if error.energy_pct is None else f"  (+-{error.energy_pct:.0f} %)"
    if error.energy_pct is None and report.energy_mj is not None and error.energy_factor is not None:
        energy_spread = f"  (within a factor {error.energy_factor:g})"
    area = "- (the specification gives no basis)" if report.area_mm2 is None else digits(report.area_mm2, "mm2")
    return [
        ("latency", digits(report.latency_ms, "ms") + spread),
        ("throughput", digits(report.throughput_per_s, "inferences/s")),
        ("cycles", f"{report.cycles:,}"),
        ("utilization", f"{100 * report.utilization:.1f} % of peak"),
        ("energy", digits(report.energy_mj, "mJ") + energy_spread),
        ("average power", digits(report.average_power_w, "W")),
        ("area", area),
        *(tuple(text.split(": ", 1)) for text in report.sources if text.startswith("array: ")),  # type: ignore[misc]
        ("macs", f"{report.macs:,}"),
        ("parameters", f"{report.params:,} ({size(report.weight_bytes)})"),
        ("activation peak", size(report.activation_peak_bytes)),
        ("uncertainty", error.basis),
    ]


def layer_rows(report: Report) -> list[tuple[str, ...]]:
    """The layer table, header first."""
    total = report.latency_ms * 1e3 or 1.0
    header = ("layer", "op", "bits", "macs", "cycles", "us", "share", "bound", "util", "uJ", "off-chip")
    return [header, *(_cells(row, total) for row in report.layers)]


def _cells(row: LayerReport, total_us: float) -> tuple[str, ...]:
    return (
        row.name if len(row.name) <= 28 else f"{row.name[:12]}..{row.name[-14:]}",
        row.op,
        _bits(row),
        f"{row.macs:,}" if row.macs else "",
        f"{row.cycles:,}",
        digits(row.latency_us),
        f"{100 * row.latency_us / total_us:.1f}%",
        row.bound,
        f"{100 * row.utilization:.0f}%" if row.macs else "",
        "" if row.energy_uj is None else digits(row.energy_uj.total),
        size(row.bytes.dram) if row.bytes.dram else "",
    )


def _bits(row: LayerReport) -> str:
    """Bits of weights and activations, and how a weight that is no plain integer is multiplied by."""
    if row.precision is None:
        return ""
    kind = "" if row.multiplier == "multiply" else f" {row.multiplier}"
    return f"w{row.precision.weights:.3g}a{row.precision.activations}{kind}"


def align(rows: list[tuple[str, ...]], left: int = 2) -> list[str]:
    """Rows as lines of equal columns: the first `left` columns flush left, the others flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_table(report: Report, *, layers: bool = True, sources: bool = False) -> str:
    """Totals, warnings, the layer table and, if asked for, where each constant comes from."""
    lines = [f"{report.model} on {report.arch}, batch {report.batch}, {_precision(report)}", ""]
    lines += [f"  {label:<16} {value}" for label, value in summary(report)]
    lines += [f"  warning          {text}" for text in report.warnings]
    if layers:
        lines += ["", *align(layer_rows(report))]
    if sources:
        lines += ["", "Sources of the device's numbers:", *(f"  - {text}" for text in report.sources)]
    return "\n".join(lines)


def _precision(report: Report) -> str:
    return f"{report.precision.weights}-bit weights, {report.precision.activations}-bit activations"


def as_comparison(reports: list[Report]) -> str:
    """One column a device."""
    columns = [dict(summary(report)) for report in reports]
    labels = [label for label in dict.fromkeys(name for column in columns for name in column) if label != "uncertainty"]
    rows: list[tuple[str, ...]] = [("", *(report.arch for report in reports))]
    rows += [(label, *(column.get(label, "-") for column in columns)) for label in labels]
    return "\n".join([reports[0].model, *align(rows, left=1)])


def fitted(rows: list[tuple[str, ...]], width: int) -> list[tuple[str, ...]]:
    """The table without its least important columns, as many as have to go for `width` characters a line."""
    for name in ("off-chip", "op", "util", "bits", "macs", "uJ"):
        if max(map(len, align(rows))) <= width:
            break
        drop = rows[0].index(name)
        rows = [(*row[:drop], *row[drop + 1 :]) for row in rows]
    return rows


def print_rich(report: Report, console: Any, *, layers: bool, sources: bool) -> None:
    """The same content with colour, fitted to the terminal's width."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{report.model} on {report.arch}, batch {report.batch}, {_precision(report)}", "bold"))
    totals = Table.grid(padding=(0, 2))
    for label, value in summary(report):
        totals.add_row(Text(label, "dim"), Text(value))
    for text in report.warnings:
        totals.add_row(Text("warning", "yellow"), Text(text))
    console.print(totals)
    if layers:
        rows = fitted(layer_rows(report), console.width)
        header, *body = align(rows, left=1 + ("op" in rows[0]))
        console.print(Text(header, "bold"), soft_wrap=True)
        for line in body:
            console.print(Text(line), soft_wrap=True)
    if sources:
        console.print("Sources of the device's numbers:")
        for text in report.sources:
            console.print(Text(f"  - {text}"))
