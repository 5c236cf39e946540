"""Rows of tables of accelerators: a layer, a design of a family, an application by counts, an operating point.

layer         columns `layer`, `total_latency_ms`, `zeros_in_ifmap_pct` ...: figures of one layer of a batch; the
              shares of zeros of all rows of that network belong to each, and the layer "Total" is their sum; a clock
              in the name of the `chip` counts
design        columns `macs`, `conv_buffer_kb`, `dram_bw_gb_s`: sizes that the device takes for this row; its model is
              `network`, or what stands before "_int8_fps"; `fc_batch` inputs share the weights of dense layers
application   columns `app`, `layers`, `weights`, `ops_per_weight_byte`, `batch`
point         columns `throughput_gops`, `energy_eff_tops_w`: the device at its peak, without a network
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hwsim.arch.catalog import archs, load_arch
from hwsim.arch.spec import Arch

Row = dict[str, str]
TOTAL = "Total"
_LAYER = {
    "total_latency_ms": "latency_ms",
    "processing_latency_ms": "processing_ms",
    "gbuf_access_mb": "buffer_mb",
    "dram_access_mb": "off_chip_mb",
    "power_mw": "power_mw",
}
_POINT = {
    "throughput_gops": "peak_gops",
    "energy_eff_tops_w": "peak_tops_per_w",
    "power_mw": "peak_power_mw",
    "area_mm2": "area_mm2",
}
_APPLICATION = {"measured_tops": "tops", "useful_macs_pct": "utilization_pct"}
_RECALLED = {"throughput_gops": "peak", "energy_eff_tops_w": "TOPS/W", "power_mw": "power", "area_mm2": "area"}
"""Column -> the word that says, before "recalled", that it was not read"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What besides a model a row is about.

    title : what a report calls the row; layer : label of a layer, "" for all; shares : labels of the table's
    layers and the zeros of their inputs, 0 to 1; design : paths of the device's numbers and their values;
    dense_batch : inputs that share weights of dense layers
    """

    title: str = ""
    layer: str = ""
    shares: tuple[tuple[str, float | None], ...] = ()
    design: tuple[tuple[str, float], ...] = ()
    dense_batch: int = 1


def accelerator_rows(own: Sequence[tuple[int, Row]], device: Arch) -> Iterable[dict[str, Any]]:
    """Fields of the measurements that these rows of a file state: line, model, quantity, value, batch, detail ..."""
    weights, activations = (int(bits) for bits in re.findall(r"\d+", next(iter(device.precisions), "w8a8")))
    for line, row in own:
        fields = {"line": line, "weights": weights, "activations": activations}
        if row.get("layer") and row.get("network"):
            found = _layer(row, [other for _, other in own])
        elif row.get("macs") and row.get("conv_buffer_kb"):
            found = _design(row, device)
        elif row.get("app") and row.get("ops_per_weight_byte"):
            found = _application(row)
        elif "throughput_gops" in row:
            found = _point(row)
        else:
            continue
        for column, item in found:
            value = _number(row.get(column))
            if value is not None:
                yield {**fields, "value": value, "excluded": _recalled(row, column), **item}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if value > 0 else None


def _recalled(row: Row, column: str) -> str:
    parts = [part for part in (row.get("confidence") or "").split(";") if "recalled" in part]
    whole = any(part.strip() == "recalled" for part in parts)
    return "confidence=recalled" if whole or any(_RECALLED.get(column, "\n") in part for part in parts) else ""


def _layer(row: Row, rows: Sequence[Row]) -> Iterable[tuple[str, dict[str, Any]]]:
    same = [r for r in rows if (r.get("network"), r.get("batch")) == (row["network"], row.get("batch"))]
    shares: list[tuple[str, float | None]] = []
    for other in same:
        percent = (other.get("zeros_in_ifmap_pct") or "").strip("% ")
        share = min(1.0, float(percent) / 100) if re.fullmatch(r"[\d.]+", percent) else None
        if other.get("layer", TOTAL) != TOTAL:
            shares.append((other["layer"], share))
    batch = int(row["batch"]) if (row.get("batch") or "").isdecimal() else 1
    clock = re.search(r"([\d.]+) ?MHz", row.get("chip") or "")
    detail = Detail(
        title=f"{row['network'].strip()} {row['layer']}",
        layer=row["layer"],
        shares=tuple(shares),
        design=(("clock_mhz", float(clock[1])),) if clock else (),
    )
    for column, quantity in _LAYER.items():
        yield column, {"model": row["network"].strip(), "quantity": quantity, "batch": max(1, batch), "detail": detail}


def _design(row: Row, device: Arch) -> Iterable[tuple[str, dict[str, Any]]]:
    sizes = {path: value for path, value in _sizes(row, device).items() if value is not None}
    batch = int(row["fc_batch"]) if (row.get("fc_batch") or "").isdecimal() else 1
    column = next((name for name in row if name.endswith("_int8_fps")), "fps")
    model = (row.get("network") or column.removesuffix("_int8_fps")).strip()
    title = f"{model} {row['macs']} MACs"
    detail = Detail(title=title, design=tuple(sizes.items()), dense_batch=max(1, batch))
    yield column, {"model": model, "quantity": "fps", "detail": detail}
    for name in row:
        found = re.fullmatch(r"(avg_power_mw|area_mm2)_(\d+)nm", name)
        node = device.technology
        if found and node is not None and node.node_nm.value == float(found[2]):
            quantity = "power_mw" if found[1] == "avg_power_mw" else "area_mm2"
            yield name, {"model": model, "quantity": quantity, "detail": detail}


def _sizes(row: Row, device: Arch) -> dict[str, float | None]:
    """Paths of the device's numbers -> what the row states.

    Of dot products the nearest design with a specification, not smaller, with as many of its kernels as make the size.
    """
    bandwidth, macs = _number(row.get("dram_bw_gb_s")), _number(row.get("macs"))
    sizes = {
        "atomic.buffer_kib": _number(row.get("conv_buffer_kb")),
        "link.bandwidth_mb_per_s": None if bandwidth is None else 1e3 * bandwidth,
        "clock_mhz": _number(row.get("clock_mhz")),
    }
    known: dict[float, float] = {}
    for arch in map(load_arch, archs()):
        if arch.engine == device.engine and arch.atomic is not None:
            known[arch.atomic.channels.value * arch.atomic.kernels.value] = arch.atomic.channels.value
    if macs is not None and known:
        channels = known[min((size for size in known if size >= macs), default=max(known))]
        sizes |= {"atomic.channels": channels, "atomic.kernels": max(1, round(macs / channels))}
    return sizes


def _application(row: Row) -> Iterable[tuple[str, dict[str, Any]]]:
    counts = (row.get("layers"), row.get("weights"), row.get("ops_per_weight_byte"), row.get("batch"))
    model = "{} ({} layers, {} weights, {} uses, batch {})".format(row["app"], *counts)
    for column, quantity in _APPLICATION.items():
        yield column, {"model": model, "quantity": quantity, "detail": Detail(title=row["app"])}


def _point(row: Row) -> Iterable[tuple[str, dict[str, Any]]]:
    for column, quantity in _POINT.items():
        yield column, {"model": (row.get("workload") or "peak").strip(), "quantity": quantity, "detail": Detail()}
