"""Technology: operator areas and energies by basis, and their scaling between nodes and voltages.

    energy(node, V) = energy(n0, V0) * E(node, V) / E(n0, V0)      E = e0 V^2 + e1 V + e2 of the node
    delay(node, V)  = delay(n0, V0) * D(node, V) / D(n0, V0)       D = d0 V^3 + d1 V^2 + d2 V + d3
    area(node)      = area(n0) * A(node) / A(n0)

Stillmaker and Baas, Integration 58 (2017): polynomials fitted to simulations of an inverter chain, 180 to 7 nm. They
hold for logic only: memories come from sram-*nm.toml (hwsim/cost/sram.py). Between the tabulated nodes logarithms are
interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, cast

from hwsim.arch.catalog import specs_dir
from hwsim.arch.spec import read_toml
from hwsim.errors import SpecError

Flavour = Literal["high_performance", "low_power"]
BASE_NM = 45.0
BASE_VOLT = 0.9
_VOLTS = (0.4, 2.0)
Row = dict[str, Any]


@cache
def table(name: str) -> dict[str, Any]:
    """The parsed file specs/technology/NAME.toml."""
    return read_toml(specs_dir() / "technology" / f"{name}.toml")


def value(entry: Any) -> float:
    """The number of a { value, source } entry."""
    return float(entry["value"])


@cache
def _nodes() -> tuple[dict[str, Any], ...]:
    rows = [cast("Row", row) for row in table("scaling").values() if isinstance(row, dict)]
    return tuple(sorted(rows, key=lambda row: float(row["node_nm"])))


def _at(node_nm: float, read: Callable[[Row], float]) -> float:
    """read(row) at the node, logarithms interpolated over the logarithm of the length."""
    rows = _nodes()
    low, high = float(rows[0]["node_nm"]), float(rows[-1]["node_nm"])
    if not low <= node_nm <= high:
        raise SpecError(f"node_nm={node_nm:g} lies outside {low:g} to {high:g}; the scaling tables do not reach it")
    above = next(row for row in rows if float(row["node_nm"]) >= node_nm)
    if float(above["node_nm"]) == node_nm:
        return float(read(above))
    below = rows[rows.index(above) - 1]
    x0, x1 = math.log(float(below["node_nm"])), math.log(float(above["node_nm"]))
    part = (math.log(node_nm) - x0) / (x1 - x0)
    return math.exp((1 - part) * math.log(read(below)) + part * math.log(read(above)))


def nominal_voltage_v(node_nm: float) -> float:
    """Nominal supply of the node in volts."""
    return _at(node_nm, _column("nominal_v"))


def _column(name: str) -> Callable[[Row], float]:
    return lambda row: float(row[name])


def _polynomial(name: str, volts: float) -> Callable[[Row], float]:
    """The polynomial of the supply with the row's coefficients, highest power first."""

    def read(row: Row) -> float:
        found = 0.0
        for coefficient in cast("list[float]", row[name]):
            found = found * volts + coefficient
        if found <= 0:
            raise SpecError(f"voltage_v={volts:g} lies outside the {name} polynomial of {row['node_nm']} nm; change it")
        return found

    return read


def _check(voltage_v: float) -> None:
    if not _VOLTS[0] <= voltage_v <= _VOLTS[1]:
        raise SpecError(f"voltage_v={voltage_v:g} lies outside {_VOLTS[0]} to {_VOLTS[1]}; give volts of the supply")


def energy_factor(node_nm: float, voltage_v: float | None = None, flavour: Flavour = "high_performance") -> float:
    """Energy of logic at the node and voltage over that at 45 nm and 0.9 V.

    Raises
    ------
    SpecError    a node outside 7 to 180 nm, a voltage outside 0.4 to 2 V
    """
    volts = nominal_voltage_v(node_nm) if voltage_v is None else voltage_v
    _check(volts)
    name = f"energy_{flavour}"
    return _at(node_nm, _polynomial(name, volts)) / _at(BASE_NM, _polynomial(name, BASE_VOLT))


def delay_factor(node_nm: float, voltage_v: float | None = None) -> float:
    """Delay of logic over that at 45 nm and 0.9 V.

    Raises
    ------
    SpecError    a node outside the table, or a voltage at which the polynomial of the node is not positive
    """
    volts = nominal_voltage_v(node_nm) if voltage_v is None else voltage_v
    _check(volts)
    name = "delay_high_performance"
    return _at(node_nm, _polynomial(name, volts)) / _at(BASE_NM, _polynomial(name, BASE_VOLT))


def area_factor(node_nm: float, from_nm: float = BASE_NM) -> float:
    """Cell area at the node over that at `from_nm`."""
    return _at(node_nm, _column("area")) / _at(from_nm, _column("area"))


def technology(node_nm: float = BASE_NM, voltage_v: float | None = BASE_VOLT) -> dict[str, float]:
    """Energies (`multiply_8_pj` ...) and areas (`multiply_8_um2` ...) of single operations at a node, by key."""
    energies, areas = table("energy")["logic"], table("energy")["logic_area"]
    energy, area = energy_factor(node_nm, voltage_v), area_factor(node_nm)
    scaled = {key: value(entry) * energy for key, entry in energies.items() if key.endswith("_pj")}
    return scaled | {key: value(entry) * area for key, entry in areas.items()}


def off_chip(kind: str) -> tuple[float, float]:
    """(pJ per byte, uncertainty factor) of a memory outside the chip, by kind.

    Raises
    ------
    SpecError    no such kind; the text lists those there are
    """
    known = table("energy")["off_chip"]
    if kind not in known:
        raise SpecError(f"off-chip memory {kind!r} is not known; known are {', '.join(known)}")
    return value(known[kind]["access_pj_per_byte"]), value(known[kind]["factor"])
