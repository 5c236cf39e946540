"""What `hwsim validate` prints."""

from __future__ import annotations

from hwsim.arch.catalog import archs, load_arch
from hwsim.arch.spec import Arch
from hwsim.errors import SpecError
from hwsim.report.text import align
from hwsim.validate.compare import Comparison, as_json, as_lines, compare, plot, statistics
from hwsim.validate.fit import constants, fitted, leave_one_out, targets
from hwsim.validate.measurements import Measurement, read_folder
from hwsim.validate.transfer import with_kernels_of
from hwsim.validate.workloads import Workloads, parse_models


def run(
    data: str,
    names: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    *,
    fit: bool = False,
    leave_one_out: bool = False,
    kernels_of: str | None = None,
    form: str = "table",
    every_row: bool = False,
    plot: str | None = None,
) -> str:
    """The text of the command; see `hwsim validate --help`."""
    devices = {arch.name: arch for arch in map(load_arch, names or archs()) if names or arch.measured}
    if kernels_of is not None:
        if fit or leave_one_out:
            raise SpecError("--kernels-of predicts without a fit; leave --fit and --leave-one-out away")
        sister = load_arch(kernels_of)
        devices = {name: with_kernels_of(arch, sister) for name, arch in devices.items()}
    measured = read_folder(data, devices.values())
    workloads = Workloads(parse_models(files))
    lines: list[str] = []
    skipped: dict[str, str] = {}
    if fit:
        for name, arch in tuple(devices.items()):
            if not (constants(arch) and any(m.device == name and not m.excluded for m in measured)):
                continue
            try:
                devices[name] = fitted(arch, measured, workloads)
            except SpecError as error:
                skipped[name] = str(error)
                continue
            lines += [f"{name}: {path} = {value:.4g}" for path, value in constants(devices[name]).items()]
    devices = {name: arch for name, arch in devices.items() if name not in skipped}
    measured = [m for m in measured if m.device not in skipped]
    rows = _left_out(measured, devices, workloads, skipped) if leave_one_out else compare(measured, devices, workloads)
    unused = workloads.unused({m.model for m in measured})
    if plot is not None:
        _draw(rows, plot)
    groups = statistics(rows)
    if form == "json":
        return as_json(groups, rows, skipped, unused)
    lines += align(as_lines(groups, rows), left=3)
    lines += ["", *_left_aside(rows)]
    lines += [f"skipped: {reason}" for reason in skipped.values()]
    lines += [f"--model {name}: no row of this folder has that name" for name in unused]
    if every_row:
        lines += ["", *align(_row_lines(rows), left=4)]
    return "\n".join(lines)


def _draw(rows: list[Comparison], path: str) -> None:
    plot(rows, path)


def _left_out(
    measured: list[Measurement], devices: dict[str, Arch], workloads: Workloads, skipped: dict[str, str]
) -> list[Comparison]:
    """Rows predicted by the device fitted to the other models; devices without fitted constants as they are.

    Devices that cannot be fitted are left out, and `skipped` says why.
    """
    rows: list[Comparison] = []
    for name, arch in devices.items():
        own = [m for m in measured if m.device == name]
        known = {m.model for m in targets(own, arch, workloads)}
        if not constants(arch) or len(known) < 2:
            rows += compare(own, devices, workloads)
            continue
        try:
            refitted = leave_one_out(arch, own, workloads)
        except SpecError as error:
            skipped[name] = str(error)
            continue
        for m in own:
            rows += compare([m], {name: refitted.get(m.model, arch)}, workloads)
    return rows


def _left_aside(rows: list[Comparison]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        if row.excluded:
            counts[row.excluded] = counts.get(row.excluded, 0) + 1
    return [f"not compared: {count} rows, {why}" for why, count in sorted(counts.items(), key=lambda item: -item[1])]


def _row_lines(rows: list[Comparison]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("file", "device", "model", "quantity", "line", "published", "predicted", "error")]
    for row in rows:
        if row.predicted is not None and row.error is not None:
            numbers = (str(row.line), f"{row.published:.4g}", f"{row.predicted:.4g}", f"{100 * row.error:+.1f}%")
            lines.append((row.file, row.device, row.model, row.quantity, *numbers))
    return lines
