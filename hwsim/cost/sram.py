"""SRAM macros: energy of an access, leakage and area by capacity, width, node and cell type.

CACTI 7 tables (specs/technology/sram-*nm.toml) at 16 to 256 bits, 1 KiB to 8 MiB, 45, 32 and 22 nm. Between them the
logarithm is interpolated over the logarithms of capacity and node, and the value over the width; capacities lie closer
where CACTI changes the layout, because energies jump there. Wider words are several macros side by side, larger
memories several banks of which one is accessed. Older and newer nodes scale from the nearest one with area ~ node^2,
energy and leakage ~ node: a bound, marked by a larger uncertainty factor.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.arch.technology import table
from hwsim.errors import SpecError

QUANTITIES = ("read_pj", "write_pj", "leakage_mw", "area_mm2", "access_ns")
CELLS = ("lop", "hp", "lstp")
_NODES = (22, 32, 45)
_WIDTHS = (16, 32, 64, 128, 256)
_FIRST_BYTES = 1024
_LARGEST_BYTES = 8 << 20
_INSIDE, _OUTSIDE = 1.25, 2.0
_STEEPNESS = {"read_pj": 1, "write_pj": 1, "leakage_mw": 1, "area_mm2": 2, "access_ns": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One memory: a read or write moves the whole width; `factor` is the uncertainty of its energies."""

    read_pj: float
    write_pj: float
    leakage_mw: float
    area_mm2: float
    access_ns: float
    width_bits: int
    factor: float

    @property
    def read_pj_per_byte(self) -> float:
        return self.read_pj * 8 / self.width_bits

    @property
    def write_pj_per_byte(self) -> float:
        return self.write_pj * 8 / self.width_bits


def sram(
    capacity_bytes: float,
    width_bits: int = 64,
    node_nm: float = 45.0,
    cell: str = "lop",
    tables: Mapping[int, Mapping[str, Any]] | None = None,
    widths: tuple[int, ...] = _WIDTHS,
) -> Macro:
    """The macro of that size.

    Parameters
    ----------
    capacity_bytes : above 0; below 1 KiB the 1 KiB macro is used
    width_bits : 1 to 4096
    cell : "lop", "hp" or "lstp": low operating power, high performance, low standby power
    tables : replaces the tables of specs/technology by node; their widths are `widths`

    Raises
    ------
    SpecError    a size, width, node or cell type out of reach
    """
    if not 0 < capacity_bytes < 1 << 36:
        raise SpecError(f"SRAM of {capacity_bytes:g} bytes cannot be costed; give more than 0 and less than 64 GiB")
    if not 1 <= width_bits <= 4096:
        raise SpecError(f"width_bits={width_bits} lies outside 1 to 4096")
    if cell not in CELLS:
        raise SpecError(f"cell={cell!r} is not one of {', '.join(CELLS)}")
    if not 3 <= node_nm <= 180:
        raise SpecError(f"node_nm={node_nm:g} lies outside 3 to 180")
    banks = max(1, math.ceil(capacity_bytes / _LARGEST_BYTES))
    beside = max(1, math.ceil(width_bits / widths[-1]))
    each, width = max(capacity_bytes / banks / beside, _FIRST_BYTES), max(width_bits / beside, 1)
    low, high = _around(node_nm, _NODES)
    inside = min(max(node_nm, _NODES[0]), _NODES[-1])

    def at_node(quantity: str, node: int) -> float:
        source = table(f"sram-{node}nm") if tables is None else tables[node]
        return _by_width(source, quantity, cell, each, width, widths)

    def at(quantity: str) -> float:
        if inside in (low, high):
            found = at_node(quantity, int(inside))
        else:
            found = _log_mix(inside, low, high, at_node(quantity, low), at_node(quantity, high))
        return found * (node_nm / inside) ** _STEEPNESS[quantity]

    whole = {"read_pj": beside, "write_pj": beside, "leakage_mw": beside * banks, "area_mm2": beside * banks}
    values = {quantity: at(quantity) * whole.get(quantity, 1) for quantity in QUANTITIES}
    reached = _NODES[0] <= node_nm <= _NODES[-1] and banks == 1 and capacity_bytes >= _FIRST_BYTES
    return Macro(**values, width_bits=width_bits, factor=_INSIDE if reached else _OUTSIDE)


def _around(x: float, points: tuple[int, ...]) -> tuple[int, int]:
    upper = next((i for i, point in enumerate(points) if point >= x and i > 0), len(points) - 1)
    return points[upper - 1], points[upper]


def _log_mix(x: float, low: float, high: float, at_low: float, at_high: float) -> float:
    part = math.log(x / low) / math.log(high / low)
    return math.exp((1 - part) * math.log(at_low) + part * math.log(at_high))


def _by_width(source: Mapping[str, Any], quantity: str, row: str, size: float, width: float, widths: Any) -> float:
    low, high = _around(width, widths)
    a, b = (_by_capacity(source[f"{row}_{bits}b"], quantity, size) for bits in (low, high))
    return max(a + (b - a) * (width - low) / (high - low), 0.25 * min(a, b))


def _by_capacity(series: Mapping[str, Any], quantity: str, size: float) -> float:
    sizes, values = series["kib"], series[quantity]
    kib = min(size / 1024, sizes[-1])
    high = min(max(bisect_left(sizes, kib), 1), len(sizes) - 1)
    return _log_mix(kib, sizes[high - 1], sizes[high], values[high - 1], values[high])
