"""Devices known by figures only: peak throughput, power, area. No model stands behind them and none is invented.

specs/catalogue/*.toml, one table a device. Every number has a source; GOPS count a MAC as two operations.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

from hwsim.arch.catalog import sources, specs_dir
from hwsim.arch.spec import FREE_TEXT, Frozen, Quantity, read_toml
from hwsim.errors import SpecError


class Figure(Frozen, frozen=True):
    """A number at a precision."""

    precision: str
    value: float
    source: str


class Entry(Frozen, frozen=True):
    """One device."""

    title: str
    kind: str
    vendor: str = ""
    node: str = ""
    year: int | None = None
    peak_gops: tuple[Figure, ...] = ()
    efficiency_tops_per_w: tuple[Figure, ...] = ()
    power_w: Quantity | None = None
    bandwidth_gb_per_s: Quantity | None = None
    area_mm2: Quantity | None = None
    no_model: str = ""
    """Why its figures do not make a model"""

    @property
    def node_nm(self) -> float | None:
        """The first number of nanometres in the text of the node."""
        found = re.search(r"([\d.]+) ?nm", self.node)
        return float(found[1]) if found else None

    @property
    def summary(self) -> str:
        """Peaks and power on one line."""
        peaks = [f"{figure.value / 1000:.4g} TOPS {figure.precision}" for figure in self.peak_gops]
        peaks += [f"{figure.value:.4g} TOPS/W {figure.precision}" for figure in self.efficiency_tops_per_w]
        return ", ".join([*peaks, f"{self.power_w.value:g} W"] if self.power_w is not None else peaks)


@cache
def entries() -> dict[str, Entry]:
    """Every entry by name, sorted.

    Raises
    ------
    SpecError    unknown keys, a number without a source, a value that is not above 0
    """
    found: dict[str, Entry] = {}
    for path in sorted((specs_dir() / "catalogue").glob("*.toml")):
        for name, table in read_toml(path).items():
            try:
                entry = msgspec.convert(table, Entry)
            except msgspec.ValidationError as error:
                raise SpecError(f"{path.name}: {name}: {error}; see specs/README.md for the field") from error
            for number in _numbers(entry):
                _check(number, f"{path.name}: {name}")
            found[name] = entry
    return dict(sorted(found.items()))


def _numbers(entry: Entry) -> tuple[Figure | Quantity, ...]:
    single = (entry.power_w, entry.bandwidth_gb_per_s, entry.area_mm2)
    return (*entry.peak_gops, *entry.efficiency_tops_per_w, *(number for number in single if number is not None))


def _check(number: Figure | Quantity, where: str) -> None:
    if not 0 < number.value < 1e12:
        raise SpecError(f"{where}: value={number.value:g} must be above 0; correct it")
    if number.source not in sources() and not number.source.startswith(FREE_TEXT):
        raise SpecError(f"{where}: source={number.source!r} is not an id of sources.toml; begin with 'estimate:'")
