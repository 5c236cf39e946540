"""Published measurements: rows of CSV files that belong to a device of the catalogue.

A specification says with tables [[measured]] which rows are its own: column = pattern (`*` matches anything). A row
belongs to the device if every named column matches; a table whose columns the file lacks matches nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hwsim.arch.spec import Arch
from hwsim.errors import SpecError

QUANTITIES = {"latency_ms": "latency_ms", "energy_uj_per_inf": "energy_uj"}
"""Column of the file -> quantity of a report"""
MODEL_COLUMNS = ("model", "benchmark", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One published number; `excluded` says why it is not compared, "" if it is."""

    file: str
    line: int
    device: str
    model: str
    quantity: str
    value: float
    excluded: str = ""
    batch: int = 1
    weights: int = 8
    activations: int = 8


def read_folder(folder: str | Path, devices: Iterable[Arch]) -> list[Measurement]:
    """Every measurement of the devices in the folder's CSV files, in order of file and line.

    Raises
    ------
    SpecError    the folder has no CSV file, or one cannot be read
    """
    paths = sorted(Path(folder).glob("*.csv"))
    if not paths:
        raise SpecError(f"{folder}: holds no .csv file; give --data the folder of published measurements")
    devices = list(devices)
    found: list[Measurement] = []
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SpecError(f"{path}: cannot be read as CSV ({error}); check the file") from error
        for line, row in enumerate(rows, 2):
            for device in devices:
                if _belongs(row, device):
                    found += _numbers(row, path.name, line, device)
    return found


def _belongs(row: dict[str, str], device: Arch) -> bool:
    return any(
        all(key in row and fnmatchcase(row[key] or "", pattern) for key, pattern in table.items())
        for table in device.measured
        if table
    )


def _numbers(row: dict[str, str], file: str, line: int, device: Arch) -> Iterable[Measurement]:
    name = next((row[column].strip() for column in MODEL_COLUMNS if row.get(column)), "")
    for column, quantity in QUANTITIES.items():
        try:
            value = float(row.get(column) or "nan")
        except ValueError:
            continue
        if value > 0 and name:
            yield Measurement(
                file=file,
                line=line,
                device=device.name,
                model=name,
                quantity=quantity,
                value=value,
                excluded=_why_not(row, device, name),
                batch=_whole(row.get("batch"), 1),
                weights=_whole(row.get("weight_bits"), 8),
                activations=_whole(row.get("act_bits"), 8),
            )


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default


def _why_not(row: dict[str, str], device: Arch, name: str) -> str:
    if (row.get("fully_mapped") or "yes") != "yes":
        return f"fully_mapped={row['fully_mapped']}"
    if (row.get("task") or "cls") != "cls":
        return f"task={row['task']}"
    if (row.get("numeric") or "int8") != "int8":
        return f"numeric={row['numeric']}"
    if (row.get("division") or "closed") != "closed":
        return f"division={row['division']}"
    if any((row.get(column) or "8").startswith("mixed") for column in ("weight_bits", "act_bits")):
        return "widths differ by layer"
    if "recalled" in (row.get("confidence") or ""):
        return "confidence=recalled"
    if "outlier" in (row.get("note") or ""):
        return "note: outlier"
    return device.not_compared.get(name, "")
