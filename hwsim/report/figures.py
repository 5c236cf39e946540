"""The survey's figures 7 and 9 from the project's own tables: as rows, and drawn.

operations    energy and area of additions and multiplications in 45 nm, with their ratio to the 8-bit addition
peaks         peak throughput by precision of the graphics processors of the catalogue
processors    edge processors: peak throughput over power
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwsim.arch.entries import entries
from hwsim.arch.technology import BASE_NM, BASE_VOLT, technology
from hwsim.errors import HwsimError

Rows = list[tuple[str, ...]]
_OPERATIONS = (
    *("add_8", "add_16", "add_32", "float_add_16", "float_add_32"),
    *("multiply_8", "multiply_32", "float_multiply_16", "float_multiply_32"),
)
NAMES = ("operations", "peaks", "processors")


def operations() -> Rows:
    """Operation, picojoules, square micrometres, both over the 8-bit addition."""
    values = technology(BASE_NM, BASE_VOLT)
    rows: Rows = [("operation", "pj", "um2", "energy_ratio", "area_ratio")]
    for name in _OPERATIONS:
        energy, area = values[f"{name}_pj"], values[f"{name}_um2"]
        ratios = (f"{energy / values['add_8_pj']:.1f}", f"{area / values['add_8_um2']:.1f}")
        rows.append((name, f"{energy:g}", f"{area:g}", *ratios))
    return rows


def peaks() -> Rows:
    """Device, precision, TOPS of every graphics processor."""
    rows: Rows = [("device", "precision", "tops")]
    for name, entry in entries().items():
        if entry.kind.startswith("GPU"):
            rows += [(name, figure.precision, f"{figure.value / 1000:g}") for figure in entry.peak_gops]
    return rows


def processors() -> Rows:
    """Device, precision, peak GOPS, watts, GOPS a watt of every entry that has both and is no graphics card."""
    rows: Rows = [("device", "precision", "gops", "watt", "gops_per_watt")]
    for name, entry in entries().items():
        if entry.power_w is not None and entry.peak_gops and not entry.kind.startswith("GPU"):
            best = max(entry.peak_gops, key=lambda figure: figure.value)
            watt = entry.power_w.value
            rows.append((name, best.precision, f"{best.value:g}", f"{watt:g}", f"{best.value / watt:.4g}"))
    return rows


def tables() -> dict[str, Rows]:
    """Every figure's rows by name, header first."""
    return {"operations": operations(), "peaks": peaks(), "processors": processors()}


def draw(folder: str | Path, form: str = "png") -> list[Path]:
    """Write one picture a figure; needs matplotlib (extra `plot`).

    Raises
    ------
    HwsimError    matplotlib is not installed
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise HwsimError("figures need matplotlib; install the extra with: pip install 'refq[plot]'") from error
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, rows in tables().items():
        figure: Any = Figure(figsize=(9, 5.5), layout="constrained")
        _DRAWN[name](figure, rows[1:])
        written.append(folder / f"{name}.{form}")
        figure.savefig(written[-1])
    return written


def _draw_operations(figure: Any, rows: Rows) -> None:
    for place, (label, column) in enumerate((("energy, pJ", 1), ("area, um2", 2))):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.barh([row[0] for row in rows], [float(row[column]) for row in rows])
        axes.set(xscale="log", xlabel=f"{label}, 45 nm")
        axes.invert_yaxis()


def _draw_peaks(figure: Any, rows: Rows) -> None:
    axes = figure.add_subplot()
    devices = list(dict.fromkeys(row[0] for row in rows))
    for precision in dict.fromkeys(row[1] for row in rows):
        points = [(devices.index(row[0]), float(row[2])) for row in rows if row[1] == precision]
        axes.scatter(*zip(*points, strict=True), label=precision, s=40)
    axes.set(yscale="log", ylabel="peak TOPS", xticks=range(len(devices)))
    axes.set_xticklabels(devices, rotation=30, ha="right")
    axes.legend(fontsize=7, ncols=2)


def _draw_processors(figure: Any, rows: Rows) -> None:
    axes = figure.add_subplot()
    for name, _, gops, watt, _ in rows:
        axes.scatter(float(watt), float(gops), s=12, color="tab:blue")
        axes.annotate(name, (float(watt), float(gops)), fontsize=5)
    axes.set(xscale="log", yscale="log", xlabel="power, W", ylabel="peak throughput, GOPS")


_DRAWN = {"operations": _draw_operations, "peaks": _draw_peaks, "processors": _draw_processors}
