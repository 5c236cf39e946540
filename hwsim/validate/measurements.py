"""Published measurements: rows of CSV files that belong to a device of the catalogue.

A specification says with tables [[measured]] which rows are its own: column = pattern (`*` matches anything). A row
belongs to the device if every named column matches; a table whose columns the file lacks matches nothing.

A row that gives the shape of a convolution (`in_c`, `out_c`, `kernel`, `stride`, `in_h`, `out_h` ...) is the time of
that one kernel, quantity `kernel_us`. Two measurements that differ in their bit widths only make a third, how much
faster the narrow one is: `int4_int8_speedup` of networks, `kernel_int4_int8_speedup`, and `layer_int4_int8_speedup` of
layers as a network runs them whose batch is not stated, which are used in that way alone. Several rows of a kind count
with their geometric mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from math import exp, log
from pathlib import Path

from hwsim.arch.spec import Arch
from hwsim.errors import SpecError
from hwsim.validate.accelerators import Detail, accelerator_rows
from hwsim.validate.rates import rate_rows

QUANTITIES = {"latency_ms": "latency_ms", "energy_uj_per_inf": "energy_uj"}
"""Column of the file -> quantity of a report"""
MODEL_COLUMNS = ("model", "benchmark", "network")
LAYER_COLUMNS = ("kernel", "stride", "in_c", "out_c", "in_h", "in_w", "out_h", "out_w")
NO_BATCH = "batch of a layer not stated: only its speed-ups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One published number; `excluded` says why it is not compared, "" if it is.

    model : name of a network, or of a convolution, see `hwsim/validate/workloads.py`
    size : height and width of the model's input as the row states them
    over : bits of weights and activations that a speed-up compares with; 0 where the number is no speed-up
    kind : kind of row, as the file names it
    detail : layer, design or batch of a table of accelerators
    """

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
    size: tuple[int, int] | None = None
    over: int = 0
    kind: str = ""
    detail: Detail | None = None


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
        for device in devices:
            own = [(line, row) for line, row in enumerate(rows, 2) if _belongs(row, device)]
            batch = max((_whole(row.get("batch"), 1) for _, row in own), default=1)
            times = [m for line, row in own for m in _numbers(row, path.name, line, device, batch)]
            rest = (*accelerator_rows(own, device), *rate_rows(own))
            others = [Measurement(file=path.name, device=device.name, **row) for row in rest]
            found += sorted([*times, *_ratios(times), *others], key=lambda m: m.line)
    return found


def _ratios(times: Sequence[Measurement]) -> Iterable[Measurement]:
    """Of measurements that differ in their widths only, each width over the next wider one."""
    groups: dict[tuple[str, str, int, str], dict[int, list[Measurement]]] = {}
    for m in times:
        if m.excluded in ("", NO_BATCH) and m.weights == m.activations and m.quantity in ("latency_ms", "kernel_us"):
            groups.setdefault((m.model, m.quantity, m.batch, m.kind), {}).setdefault(m.weights, []).append(m)
    for widths in groups.values():
        bits = sorted(widths)
        for narrow, wide in pairwise(bits):
            top, below = (exp(sum(log(m.value) for m in widths[b]) / len(widths[b])) for b in (narrow, wide))
            last = widths[narrow][-1]
            name = f"{_number(narrow)}_{_number(wide)}_speedup"
            owner = "layer_" if last.excluded else "" if last.quantity == "latency_ms" else "kernel_"
            yield replace(last, quantity=owner + name, value=below / top, over=wide, excluded="")


def _number(bits: int) -> str:
    """How a width is called in a ratio.

    Examples
    --------
    >>> _number(8), _number(32)
    ('int8', 'fp32')
    """
    return f"int{bits}" if bits <= 8 else f"fp{bits}"


def _belongs(row: dict[str, str], device: Arch) -> bool:
    return any(
        all(key in row and fnmatchcase(row[key] or "", pattern) for key, pattern in table.items())
        for table in device.measured
        if table
    )


def _numbers(row: dict[str, str], file: str, line: int, device: Arch, usual: int) -> Iterable[Measurement]:
    """What a row states; `usual` is the batch of a layer that states none, as far as its ratios go."""
    name = next((row[column].strip() for column in MODEL_COLUMNS if row.get(column)), "")
    shape = [_whole(row.get(column), 0) for column in LAYER_COLUMNS]
    batch = row.get("batch")
    excluded = _why_not(row, device, name)
    if all(shape):
        kernel, stride, *sizes = shape
        name = f"conv {kernel}x{kernel}/{stride} {sizes[0]}-{sizes[1]} {sizes[2]}x{sizes[3]}-{sizes[4]}x{sizes[5]}"
        excluded = excluded or ("" if _whole(batch, 0) else NO_BATCH)
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
                quantity="kernel_us" if all(shape) and quantity == "latency_ms" else quantity,
                value=value * 1e3 if all(shape) and quantity == "latency_ms" else value,
                excluded=excluded,
                batch=_whole(batch, usual if all(shape) else 1),
                weights=_whole(row.get("weight_bits"), 8),
                activations=_whole(row.get("act_bits"), 8),
                size=_size(row),
                kind=row.get("record_type") or "",
            )


def _size(row: dict[str, str]) -> tuple[int, int] | None:
    height, width = (_whole(row.get(column), 0) for column in ("input_h", "input_w"))
    return (height, width) if height and width else None


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
    known = plain(name)
    return next((why for model, why in device.not_compared.items() if fnmatchcase(known, plain(model))), "")


def plain(name: str) -> str:
    """A published name, or a pattern of names, without case, spaces and punctuation.

    >>> plain("MobileNet V1 1.0 (224x224)") == plain("mobilenet_v1_1.0_224x224")
    True
    """
    return re.sub(r"[^a-z0-9.*]", "", name.lower())
